//! A measured quantity: its runs, their median and spread, and the budget it is held to.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// What a quantity must reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Budget {
    /// Smaller is better.
    AtMost(f64),
    /// Larger is better.
    AtLeast(f64),
}

/// One measured quantity.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measurement {
    pub(crate) name: String,
    /// As `1/s` or `ms`.
    pub(crate) unit: &'static str,
    /// One value per run, in the order of the runs. Not empty.
    pub(crate) runs: Vec<f64>,
    pub(crate) budget: Option<Budget>,
}

impl Measurement {
    /// The middle value; with an even number of runs the mean of the two in the middle.
    pub(crate) fn median(&self) -> f64 {
        let sorted = self.sorted();
        let middle = sorted.len() / 2;
        if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
    }

    /// Whether the median keeps the budget.
    pub(crate) fn is_reached(&self) -> bool {
        match self.budget {
            None => true,
            Some(Budget::AtMost(limit)) => self.median() <= limit,
            Some(Budget::AtLeast(limit)) => self.median() >= limit,
        }
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.runs.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    fn spread(&self) -> (f64, f64) {
        let sorted = self.sorted();
        (sorted[0], sorted[sorted.len() - 1])
    }

    fn budget_text(&self) -> String {
        match self.budget {
            None => String::new(),
            Some(Budget::AtMost(limit)) => format!("<= {}", number(limit)),
            Some(Budget::AtLeast(limit)) => format!(">= {}", number(limit)),
        }
    }
}

/// A table for people.
pub(crate) fn table(measurements: &[Measurement]) -> String {
    let mut text = String::from(
        "| measured | unit | median | least | most | budget | |\n| --- | --- | ---: | ---: | ---: | ---: | --- |\n",
    );
    for m in measurements {
        let (least, most) = m.spread();
        let verdict = match (m.budget, m.is_reached()) {
            (None, _) => "",
            (_, true) => "ok",
            (_, false) => "MISSED",
        };
        let (median, least, most) = (number(m.median()), number(least), number(most));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {median} | {least} | {most} | {} | {verdict} |",
            m.name,
            m.unit,
            m.budget_text()
        );
    }
    text
}

/// The same for programs.
pub(crate) fn json(measurements: &[Measurement]) -> Value {
    let one = |m: &Measurement| {
        let (least, most) = m.spread();
        let budget = match m.budget {
            None => Value::Null,
            Some(Budget::AtMost(limit)) => json!({"at_most": limit}),
            Some(Budget::AtLeast(limit)) => json!({"at_least": limit}),
        };
        json!({
            "name": m.name,
            "unit": m.unit,
            "median": m.median(),
            "least": least,
            "most": most,
            "runs": m.runs,
            "budget": budget,
            "reached": m.is_reached(),
        })
    };
    json!({"measurements": measurements.iter().map(one).collect::<Vec<_>>()})
}

/// Three figures are more than a run is worth.
fn number(value: f64) -> String {
    let places = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.places$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(runs: &[f64], budget: Option<Budget>) -> Measurement {
        Measurement { name: "a".to_owned(), unit: "ms", runs: runs.to_vec(), budget }
    }

    #[track_caller]
    fn check(runs: &[f64], budget: Option<Budget>, median: f64, reached: bool) {
        let measured = measured(runs, budget);
        assert!((measured.median() - median).abs() < 1e-9, "{runs:?}: {}", measured.median());
        assert_eq!(measured.is_reached(), reached, "{runs:?} {budget:?}");
    }

    #[test]
    fn the_median_is_held_to_the_budget() {
        check(&[3.0, 1.0, 2.0], None, 2.0, true);
        check(&[4.0, 1.0, 2.0, 3.0], Some(Budget::AtMost(2.5)), 2.5, true);
        check(&[3.0], Some(Budget::AtMost(2.5)), 3.0, false);
        check(&[3.0], Some(Budget::AtLeast(2.5)), 3.0, true);
        check(&[2.0], Some(Budget::AtLeast(2.5)), 2.0, false);
    }

    #[test]
    fn the_table_has_median_spread_and_verdict() {
        let rows = table(&[measured(&[1.0, 12.34, 345.6], Some(Budget::AtMost(8.0)))]);
        assert_eq!(rows.lines().last(), Some("| a | ms | 12.3 | 1.00 | 346 | <= 8.00 | MISSED |"));
    }

    #[test]
    fn json_has_every_run() {
        let value = json(&[measured(&[2.0, 1.0], None)]);
        assert_eq!(value["measurements"][0]["runs"], json!([2.0, 1.0]));
        assert_eq!(value["measurements"][0]["median"], json!(1.5));
    }
}
