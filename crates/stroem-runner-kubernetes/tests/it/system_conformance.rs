//! The suite that every runner passes, with pods.

stroem_runner::conformance_tests!(match crate::support::Pods::new().await {
    Some(pods) => pods,
    None => return,
});
