//! Which steps no worker would take. Workers arrive as data: nothing here asks a server.

use stroem_core::TagSet;

use crate::{Diagnostic, Severity, Workspace};

/// A worker that is active.
#[derive(Debug, Clone)]
pub struct WorkerTags {
    /// Its name.
    pub name: String,
    /// The tags that it serves now.
    pub tags: TagSet,
    /// Whether it takes only steps that ask for all of its custom tags.
    pub exclusive: bool,
}

/// A step and what a worker must have to take it.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) task: String,
    pub(crate) step: String,
    pub(crate) required_tags: TagSet,
    /// The step's place, as a problem without words.
    pub(crate) place: Diagnostic,
}

impl Workspace {
    /// Warns of each step that none of these workers would take.
    pub fn check_tags(&self, workers: &[WorkerTags]) -> Vec<Diagnostic> {
        self.routes
            .iter()
            .filter(|route| !route.required_tags.is_empty())
            .filter(|route| {
                !workers.iter().any(|worker| worker.tags.may_claim(worker.exclusive, &route.required_tags))
            })
            .map(|route| route.warning(workers))
            .collect()
    }
}

impl Route {
    fn warning(&self, workers: &[WorkerTags]) -> Diagnostic {
        let Self { task, step, required_tags, .. } = self;
        let missing: Vec<&str> = required_tags
            .iter()
            .map(stroem_core::Tag::as_str)
            .filter(|tag| !workers.iter().any(|worker| worker.tags.contains(tag)))
            .collect();
        let why = if missing.is_empty() {
            let all: Vec<&str> = required_tags.iter().map(stroem_core::Tag::as_str).collect();
            format!("no single active worker takes its tags {} together", quoted(&all))
        } else if missing.len() == 1 {
            format!("no active worker has its tag {}", quoted(&missing))
        } else {
            format!("no active worker has its tags {}", quoted(&missing))
        };
        let nearest = workers.iter().min_by_key(|worker| worker.tags.missing(required_tags).len());
        let help = nearest.map(|worker| {
            let lacks: Vec<&str> =
                worker.tags.missing(required_tags).into_iter().map(stroem_core::Tag::as_str).collect();
            if lacks.is_empty() {
                let own = worker.tags.custom_beyond(required_tags);
                let own: Vec<&str> = own.into_iter().map(stroem_core::Tag::as_str).collect();
                format!("the worker `{}` is exclusive: ask for its tags {} too", worker.name, quoted(&own))
            } else {
                format!("add {} to the tags of a worker, such as `{}`", quoted(&lacks), worker.name)
            }
        });
        Diagnostic {
            severity: Severity::Warning,
            code: "no_matching_worker",
            message: format!("the step `{step}` of `{task}` would wait and then fail: {why}"),
            suggestion: help.or_else(|| Some("start a worker that has these tags".to_owned())),
            ..self.place.clone()
        }
    }
}

fn quoted(tags: &[&str]) -> String {
    tags.iter().map(|tag| format!("`{tag}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SourceFile, load};

    const TASKS: &str = "tasks:\n  t:\n    flow:\n      plain: { type: script, script: date }\n      train: { type: script, script: date, tags: [gpu, big] }\n      box: { type: docker, image: alpine }\n      ask: { type: approval, message: ok? }\n";

    fn worker(name: &str, tags: &[&str], exclusive: bool) -> WorkerTags {
        let tags = tags.iter().map(|tag| stroem_core::Tag::new(tag).unwrap()).collect();
        WorkerTags { name: name.to_owned(), tags, exclusive }
    }

    #[track_caller]
    fn check(workers: &[WorkerTags], expected: &[(&str, &str, &str)]) {
        let file = SourceFile { path: ".workflows/a.yaml".to_owned(), text: TASKS.to_owned() };
        let found = load(&[file]).check_tags(workers);
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (problem, (step, why, help)) in found.iter().zip(expected) {
            assert!(problem.message.contains(&format!("`{step}` of `t`")), "{problem:?}");
            assert!(problem.message.ends_with(why), "{problem:?}");
            assert_eq!(problem.suggestion.as_deref(), Some(*help));
            assert!(problem.excerpt.trim_start().starts_with(step), "{problem:?}");
        }
    }

    #[test]
    fn missing_tags_are_named_with_the_step_and_the_nearest_worker() {
        check(
            &[worker("w1", &["script"], false), worker("w2", &["script", "gpu"], false)],
            &[
                (
                    "train",
                    "no active worker has its tag `big`",
                    "add `big` to the tags of a worker, such as `w2`",
                ),
                (
                    "box",
                    "no active worker has its tag `docker`",
                    "add `docker` to the tags of a worker, such as `w1`",
                ),
            ],
        );
    }

    #[test]
    fn tags_on_different_workers_and_exclusive_workers_do_not_help() {
        let apart = [worker("a", &["script", "gpu"], false), worker("b", &["big", "docker"], false)];
        let together = "no single active worker takes its tags `big`, `gpu`, `script` together";
        check(&apart, &[("train", together, "add `big` to the tags of a worker, such as `a`")]);
        let exclusive = [
            worker("plain", &["script", "docker"], false),
            worker("e", &["script", "gpu", "big", "lab"], true),
        ];
        let help = "the worker `e` is exclusive: ask for its tags `lab` too";
        check(&exclusive, &[("train", together, help)]);
    }

    #[test]
    fn without_workers_every_step_that_needs_one_is_named() {
        let help = "start a worker that has these tags";
        check(
            &[],
            &[
                ("plain", "no active worker has its tag `script`", help),
                ("train", "no active worker has its tags `big`, `gpu`, `script`", help),
                ("box", "no active worker has its tag `docker`", help),
            ],
        );
        check(&[worker("all", &["script", "docker", "gpu", "big"], false)], &[]);
    }
}
