//! `stroem explain`: of a step where it is and why, of a code what it means.

use std::str::FromStr;

use serde_json::json;
use stroem_core::JobId;
use stroem_workflow::codes::{self, Code};

use crate::{
    exit::Exit,
    failure::Failure,
    remote::Remote,
    render, runtime,
    terminal::{Format, Terminal},
};

/// Options of `stroem explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// The job, or the code of a problem, such as `unknown_key`
    #[arg(value_name = "JOB|CODE")]
    subject: Subject,
    /// The step of the job
    step: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    Job(JobId),
    Code(String),
}

impl FromStr for Subject {
    type Err = <JobId as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let letters = text.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '-'));
        match text.parse() {
            Ok(job) => Ok(Self::Job(job)),
            Err(_) if letters && !text.is_empty() => Ok(Self::Code(text.to_owned())),
            Err(error) => Err(error),
        }
    }
}

impl Explain {
    pub(crate) fn run(self, terminal: &Terminal) -> Result<Exit, Failure> {
        match (&self.subject, &self.step) {
            (Subject::Code(name), None) => explain_code(terminal, name)?,
            (Subject::Job(job), Some(step)) => {
                let client = self.remote.client()?;
                let explanation = runtime::asking(async { Ok(client.explain(*job, step).await?) })?;
                match terminal.format() {
                    Format::Json => terminal.json(&explanation)?,
                    Format::Text => terminal.result(&render::explanation(&explanation))?,
                }
            }
            (Subject::Job(job), None) => {
                let text = format!("name a step too; `stroem status {job}` lists the steps of the job");
                return Err(Failure::usage(text));
            }
            (Subject::Code(name), Some(_)) => {
                return Err(Failure::usage(format!("`{name}` is not the id of a job")));
            }
        }
        Ok(Exit::Done)
    }
}

fn explain_code(terminal: &Terminal, name: &str) -> Result<(), Failure> {
    let Some(code) = codes::find(name) else {
        let near = codes::near(name).map(|near| format!("; did you mean `{near}`?"));
        let list = || "; `stroem reference errors` has all of them".to_owned();
        let text = format!("there is no code `{name}`{}", near.unwrap_or_else(list));
        return Err(Failure::usage(text));
    };
    match terminal.format() {
        Format::Json => terminal.json(&as_json(code)),
        Format::Text => terminal.result(&codes::page(code)),
    }
}

fn as_json(code: &Code) -> serde_json::Value {
    json!({
        "code": code.name,
        "severity": code.severity,
        "title": code.title,
        "meaning": code.meaning,
        "wrong": code.wrong.shown(),
        "right": code.right,
        "remedy": code.remedy,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn explained(name: &str, format: Format) -> Result<String, Failure> {
        let (terminal, captured) = Terminal::captured(format);
        explain_code(&terminal, name).map(|()| captured.out())
    }

    #[test]
    fn a_code_is_explained_with_examples_and_remedy() {
        insta::assert_snapshot!(explained("missing-key", Format::Text).unwrap());
        let json: serde_json::Value =
            serde_json::from_str(&explained("missing_key", Format::Json).unwrap()).unwrap();
        assert_eq!((&json["code"], &json["severity"]), (&"missing_key".into(), &"error".into()));
    }

    #[test]
    fn an_unknown_code_suggests_a_near_one() {
        for (name, part) in [
            ("unkown_key", "did you mean `unknown_key`?"),
            ("cron", "did you mean `bad_cron`?"),
            ("xyzzy", "`stroem reference errors` has all of them"),
        ] {
            let failure = explained(name, Format::Text).unwrap_err();
            assert_eq!(failure.exit(), Exit::Usage);
            assert!(failure.to_string().contains(part), "{failure}");
        }
    }

    #[test]
    fn what_is_neither_a_job_nor_a_code_is_refused() {
        assert_eq!(testing::JOB.parse(), Ok(Subject::Job(testing::job_id())));
        assert_eq!("no-steps".parse(), Ok(Subject::Code("no-steps".to_owned())));
        for bad in ["", "17", "a b", "0190f3c2"] {
            assert!(bad.parse::<Subject>().is_err(), "{bad:?}");
        }
    }
}
