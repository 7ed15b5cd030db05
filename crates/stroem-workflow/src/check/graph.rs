//! The graph of a flow: dependencies by index, cycles, and who comes before whom.

use std::collections::{BTreeMap, HashMap};

use stroem_core::template_name;

use crate::{
    lower::step::StepModel,
    report::{Report, did_you_mean},
};

/// Steps of a cycle that a message names.
const CYCLE_NAMES_MAX: usize = 20;

/// Steps by index. Linear in steps and edges, but for [`Self::is_before`] which makes a bit set on its first use.
pub(super) struct Graph {
    /// Sorted, without duplicates.
    pub(super) depends_on: Vec<Vec<u32>>,
    pub(super) dependents: Vec<Vec<u32>>,
    by_name: HashMap<String, u32>,
    by_template_name: BTreeMap<String, u32>,
    /// Dependencies first; none when there is a cycle.
    order: Option<Vec<u32>>,
    ancestors: Option<Vec<Vec<u64>>>,
}

impl Graph {
    pub(super) fn new(report: &mut Report<'_>, steps: &[StepModel]) -> Self {
        let count = steps.len();
        let mut graph = Self {
            depends_on: vec![Vec::new(); count],
            dependents: vec![Vec::new(); count],
            by_name: (0_u32..).zip(steps).map(|(index, step)| (step.name.to_string(), index)).collect(),
            by_template_name: BTreeMap::new(),
            order: None,
            ancestors: None,
        };
        for (index, step) in (0_u32..).zip(steps) {
            let spelling = template_name(step.name.as_str());
            if let Some(first) = graph.by_template_name.insert(spelling.clone(), index) {
                let other = &steps[first as usize].name;
                let message =
                    format!("`{other}` and `{}` are both spelled `{spelling}` in templates", step.name);
                report.error_with(
                    step.span,
                    "ambiguous_name",
                    message,
                    Some("rename one of the two".to_owned()),
                );
            }
            for (name, span) in &step.depends_on {
                match graph.by_name.get(name) {
                    Some(other) if *other == index => {
                        report.error(
                            *span,
                            "depends_on_itself",
                            format!("the step `{name}` depends on itself"),
                        );
                    }
                    Some(other) => graph.depends_on[index as usize].push(*other),
                    None => {
                        let help = if crate::template::is_template(name) {
                            Some("step names are literal here, never templates".to_owned())
                        } else {
                            did_you_mean(name, steps.iter().map(|step| step.name.as_str()))
                        };
                        report.error_with(
                            *span,
                            "unknown_step",
                            format!("there is no step `{name}` in this flow"),
                            help,
                        );
                    }
                }
            }
        }
        for (index, dependencies) in (0_u32..).zip(&mut graph.depends_on) {
            dependencies.sort_unstable();
            dependencies.dedup();
            for dependency in dependencies {
                graph.dependents[*dependency as usize].push(index);
            }
        }
        graph.sort(report, steps);
        graph
    }

    pub(super) fn by_name(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).or_else(|| self.by_template_name.get(name)).copied()
    }

    pub(super) fn by_template_name(&self, name: &str) -> Option<u32> {
        self.by_template_name.get(name).copied()
    }

    pub(super) fn template_names(&self) -> impl Iterator<Item = &str> {
        self.by_template_name.keys().map(String::as_str)
    }

    pub(super) fn has_cycle(&self) -> bool {
        self.order.is_none()
    }

    /// Whether `first` ends before `step` may start.
    pub(super) fn is_before(&mut self, first: u32, step: u32) -> bool {
        if self.depends_on[step as usize].binary_search(&first).is_ok() {
            return true;
        }
        let ancestors = self.ancestors();
        ancestors[step as usize][first as usize / 64] & (1 << (first % 64)) != 0
    }

    /// Every step that ends before `step` may start, sorted.
    pub(super) fn all_before(&mut self, step: u32) -> Vec<u32> {
        let count = u32::try_from(self.depends_on.len()).unwrap_or(u32::MAX);
        let row = &self.ancestors()[step as usize];
        (0..count).filter(|other| row[*other as usize / 64] & (1 << (other % 64)) != 0).collect()
    }

    fn ancestors(&mut self) -> &[Vec<u64>] {
        if self.ancestors.is_none() {
            let words = self.depends_on.len().div_ceil(64);
            let mut rows = vec![vec![0_u64; words]; self.depends_on.len()];
            for step in self.order.iter().flatten() {
                let mut row = std::mem::take(&mut rows[*step as usize]);
                for dependency in &self.depends_on[*step as usize] {
                    row[*dependency as usize / 64] |= 1 << (dependency % 64);
                    for (word, other) in row.iter_mut().zip(&rows[*dependency as usize]) {
                        *word |= other;
                    }
                }
                rows[*step as usize] = row;
            }
            self.ancestors = Some(rows);
        }
        self.ancestors.as_deref().unwrap_or_default()
    }

    fn sort(&mut self, report: &mut Report<'_>, steps: &[StepModel]) {
        let mut unmet: Vec<usize> = self.depends_on.iter().map(Vec::len).collect();
        let mut order: Vec<u32> =
            (0_u32..).zip(&unmet).filter(|(_, unmet)| **unmet == 0).map(|(index, _)| index).collect();
        let mut next = 0;
        while let Some(step) = order.get(next).copied() {
            next += 1;
            for dependent in &self.dependents[step as usize] {
                unmet[*dependent as usize] -= 1;
                if unmet[*dependent as usize] == 0 {
                    order.push(*dependent);
                }
            }
        }
        if order.len() == steps.len() {
            self.order = Some(order);
        } else {
            self.report_cycles(report, steps, &unmet);
        }
    }

    /// Follows unmet dependencies from each step that is left until a step comes again.
    fn report_cycles(&self, report: &mut Report<'_>, steps: &[StepModel], unmet: &[usize]) {
        let mut seen = vec![false; steps.len()];
        for start in 0..steps.len() {
            let mut path: Vec<usize> = Vec::new();
            let mut step = start;
            while unmet[step] > 0 && !seen[step] {
                seen[step] = true;
                path.push(step);
                let unmet_dependency = self.depends_on[step].iter().find(|other| unmet[**other as usize] > 0);
                let Some(dependency) = unmet_dependency else { break };
                step = *dependency as usize;
            }
            if let Some(from) = path.iter().position(|other| *other == step) {
                let mut names: Vec<&str> =
                    path[from..].iter().map(|index| steps[*index].name.as_str()).collect();
                if names.len() > CYCLE_NAMES_MAX {
                    names.truncate(CYCLE_NAMES_MAX);
                    names.push("…");
                }
                names.push(steps[step].name.as_str());
                let message = format!("these steps wait for each other: {}", names.join(" -> "));
                let help = "remove one of these dependencies".to_owned();
                report.error_with(steps[step].span, "dependency_cycle", message, Some(help));
            }
        }
    }
}
