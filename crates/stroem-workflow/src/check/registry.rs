//! What the files define together, by name.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    SecretTree,
    lower::{FileModel, Named, TriggerModel, action::ActionModel, input::KnownTypes, task::TaskModel},
    report::{Report, Span, did_you_mean},
};

/// All definitions; of two with one name, the first.
pub(super) struct Registry<'m> {
    pub(super) actions: BTreeMap<&'m str, &'m ActionModel>,
    pub(super) tasks: BTreeMap<&'m str, &'m TaskModel>,
    pub(super) connection_types: BTreeMap<&'m str, &'m Named>,
    pub(super) triggers: BTreeMap<&'m str, &'m TriggerModel>,
    pub(super) secrets: &'m SecretTree,
    /// Files that could not be read to their end: what is missing may be defined there.
    unread: &'m BTreeSet<u32>,
}

impl<'m> Registry<'m> {
    pub(super) fn new(
        report: &mut Report<'_>,
        files: &'m [FileModel],
        secrets: &'m SecretTree,
        unread: &'m BTreeSet<u32>,
    ) -> Self {
        let actions = files.iter().flat_map(|file| &file.actions);
        let tasks = files.iter().flat_map(|file| &file.tasks);
        let types = files.iter().flat_map(|file| &file.connection_types);
        let connections = files.iter().flat_map(|file| &file.connections);
        let triggers = files.iter().flat_map(|file| &file.triggers);
        collect(report, "connection", connections.map(|item| (item.name.as_str(), item.span, item)));
        Self {
            actions: collect(report, "action", actions.map(|item| (item.name.as_str(), item.span, item))),
            tasks: collect(report, "task", tasks.map(|item| (item.name.as_str(), item.span, item))),
            connection_types: collect(
                report,
                "connection type",
                types.map(|item| (item.name.as_str(), item.span, item)),
            ),
            triggers: collect(report, "trigger", triggers.map(|item| (item.name.as_str(), item.span, item))),
            secrets,
            unread,
        }
    }

    /// Whether every file was read to its end, so that what is not here does not exist.
    pub(super) fn is_whole(&self) -> bool {
        self.unread.is_empty()
    }

    /// The action of a name; reports it when there is none.
    pub(super) fn action(&self, report: &mut Report<'_>, name: &str, span: Span) -> Option<&'m ActionModel> {
        if let Some(action) = self.actions.get(name).copied() {
            return Some(action);
        }
        let names = self.actions.keys().copied();
        if let Some((library, action)) = name.split_once('.') {
            let message = format!(
                "`{name}` is the action `{action}` of the library or workspace `{library}`, which this version cannot import"
            );
            report.error_with(span, "library_unavailable", message, did_you_mean(name, names));
        } else {
            self.unknown(report, "action", name, span, names);
        }
        None
    }

    /// The task of a name; reports it when there is none.
    pub(super) fn task(&self, report: &mut Report<'_>, name: &str, span: Span) -> Option<&'m TaskModel> {
        let task = self.tasks.get(name).copied();
        if task.is_none() {
            self.unknown(report, "task", name, span, self.tasks.keys().copied());
        }
        task
    }

    /// The types of connections, for inputs that name one.
    pub(super) fn known_types(&self, report: &Report<'_>) -> KnownTypes<'m> {
        KnownTypes {
            names: self.connection_types.keys().copied().collect(),
            unread: self.unread.first().map(|file| report.path(*file).to_owned()),
        }
    }

    /// Reports a name that nothing has; a warning while a file that may define it cannot be read.
    fn unknown<'c>(
        &self,
        report: &mut Report<'_>,
        what: &str,
        name: &str,
        span: Span,
        candidates: impl Iterator<Item = &'c str>,
    ) {
        let help = did_you_mean(name, candidates);
        match self.unread.first() {
            None => {
                let code = if what == "task" { "unknown_task" } else { "unknown_action" };
                report.error_with(span, code, format!("there is no {what} `{name}`"), help);
            }
            Some(file) => {
                let message = format!(
                    "there is no {what} `{name}`; {} may define it, but cannot be read to its end",
                    report.path(*file)
                );
                report.warning(span, "action_out_of_service", message, help);
            }
        }
    }
}

fn collect<'m, T>(
    report: &mut Report<'_>,
    what: &str,
    items: impl Iterator<Item = (&'m str, Span, &'m T)>,
) -> BTreeMap<&'m str, &'m T> {
    let mut found = BTreeMap::new();
    let mut places: BTreeMap<&str, Span> = BTreeMap::new();
    for (name, span, item) in items {
        if let Some(first) = places.get(name) {
            let message = format!("the {what} `{name}` is defined twice, first at {}", report.place(*first));
            report.error_with(span, "duplicate_name", message, Some("rename one of the two".to_owned()));
        } else {
            places.insert(name, span);
            found.insert(name, item);
        }
    }
    found
}
