//! Integration tests on the cluster that `KUBECONFIG` names; see `dev/k8s`.

mod support;
mod system_adoption;
mod system_conformance;
mod system_faults;
mod system_load;
mod system_logs;
mod system_manifest;
mod system_permissions;
mod system_waits;
