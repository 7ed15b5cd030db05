//! Integration tests on the cluster that `KUBECONFIG` names; see `dev/k8s`.

mod support;
mod system_conformance;
