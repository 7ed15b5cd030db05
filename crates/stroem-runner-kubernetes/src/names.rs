//! Names and labels that a cluster takes, for whatever a step is called.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use stroem_core::{AttemptKey, AttemptNumber, Fence, LeaseKey};
use stroem_runner::RunRequest;

/// What every pod and Secret of ours carries; the watch asks for it.
pub(crate) const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "stroem");
const JOB: &str = "stroem.dev/job";
const STEP_INDEX: &str = "stroem.dev/step-index";
const ATTEMPT: &str = "stroem.dev/attempt";
const FENCE: &str = "stroem.dev/fence";

/// Characters of the step's name in the pod's.
const SLUG_LENGTH: usize = 24;
/// Characters of a label's value.
const LABEL_LENGTH: usize = 63;

/// The name of an attempt's pod and Secret: readable at its beginning, unique at its end, the same each time.
pub(crate) fn pod_name(request: &RunRequest) -> String {
    name_of(request.identity.step.as_str(), &request.marker())
}

fn name_of(step: &str, marker: &str) -> String {
    let hash = hex::encode(&Sha256::digest(marker.as_bytes())[..10]);
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let slug: String = step.chars().take(SLUG_LENGTH).map(plain).collect();
    match slug.trim_matches('-') {
        "" => format!("stroem-{hash}"),
        slug => format!("stroem-{slug}-{hash}"),
    }
}

/// The labels of everything that an attempt makes.
pub(crate) fn labels(request: &RunRequest) -> BTreeMap<String, String> {
    let identity = &request.identity;
    let mut labels = attempt_labels(request.lease.attempt);
    labels.extend([
        (FENCE.to_owned(), request.lease.fence.0.to_string()),
        ("stroem.dev/workspace".to_owned(), label_value(identity.workspace.as_str())),
        ("stroem.dev/task".to_owned(), label_value(identity.task.as_str())),
        ("stroem.dev/step".to_owned(), label_value(identity.step.as_str())),
    ]);
    labels
}

/// The real names, which labels may have to shorten.
pub(crate) fn annotations(request: &RunRequest) -> BTreeMap<String, String> {
    let identity = &request.identity;
    let owned = |(name, value): (&str, &str)| (format!("stroem.dev/{name}"), value.to_owned());
    [
        ("workspace-name", identity.workspace.as_str()),
        ("task-name", identity.task.as_str()),
        ("step-name", identity.step.as_str()),
    ]
    .map(owned)
    .into()
}

/// Selects what an attempt made, whatever its lease.
pub(crate) fn selector(attempt: AttemptKey) -> String {
    let pairs: Vec<String> =
        attempt_labels(attempt).iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join(",")
}

/// The lease under which something with these labels was made.
pub(crate) fn lease(labels: &BTreeMap<String, String>) -> Option<LeaseKey> {
    let job = labels.get(JOB)?.parse().ok()?;
    let step = labels.get(STEP_INDEX)?.parse().ok()?;
    let attempt = AttemptNumber(labels.get(ATTEMPT)?.parse().ok()?);
    let fence = Fence(labels.get(FENCE)?.parse().ok()?);
    Some(LeaseKey { attempt: AttemptKey { job, step, attempt }, fence })
}

fn attempt_labels(attempt: AttemptKey) -> BTreeMap<String, String> {
    [
        (MANAGED_BY.0, MANAGED_BY.1.to_owned()),
        (JOB, attempt.job.to_string()),
        (STEP_INDEX, attempt.step.to_string()),
        (ATTEMPT, attempt.attempt.0.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// A text as a label's value: what it cannot have becomes `-`, and it begins and ends with a letter or digit.
fn label_value(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '.') { c } else { '-' };
    let value: String = text.chars().take(LABEL_LENGTH).map(plain).collect();
    value.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_becomes_a_label() {
        let long = "x".repeat(80);
        for (text, value) in [
            ("step", "step"),
            ("step[0]", "step-0"),
            ("Größe (GB)", "Gr--e--GB"),
            ("-_-", ""),
            (long.as_str(), &long[..63]),
        ] {
            assert_eq!(label_value(text), value, "{text}");
        }
    }

    #[test]
    fn every_name_becomes_a_pod_name() {
        for (text, beginning) in [
            ("step[0]", "stroem-step-0-"),
            ("Build_And Test", "stroem-build-and-test-"),
            ("ø", "stroem-"),
            (&"long".repeat(30), "stroem-longlonglonglonglonglong-"),
        ] {
            let name = name_of(text, "marker");
            assert!(name.starts_with(beginning) && name.len() <= 63, "{name}");
            assert!(
                name.bytes().all(|b| b == b'-' || b.is_ascii_lowercase() || b.is_ascii_digit()),
                "{name}"
            );
        }
    }
}
