//! The input of a job on the command line: JSON, a file, or the standard input.

use std::{io::Read as _, path::Path};

use serde_json::{Map, Value};
use stroem_core::limits;

use crate::failure::Failure;

/// What to run the task with.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct JobInput {
    /// The input as a JSON object, `@FILE` to read it from a file, or `-` for the standard input
    #[arg(long, short, value_name = "JSON", allow_hyphen_values = true)]
    input: Option<String>,
}

impl JobInput {
    /// Whether there is one.
    pub(crate) fn is_given(&self) -> bool {
        self.input.is_some()
    }

    /// The input; empty when not given.
    pub(crate) fn read(&self) -> Result<Map<String, Value>, Failure> {
        let Some(argument) = &self.input else { return Ok(Map::new()) };
        let (text, place) = if argument == "-" {
            (standard_input()?, "the standard input".to_owned())
        } else if let Some(file) = argument.strip_prefix('@') {
            let text = std::fs::read_to_string(file)
                .map_err(|error| Failure::unreadable(Path::new(file), &error))?;
            (text, file.to_owned())
        } else {
            (argument.clone(), "--input".to_owned())
        };
        parse(&text).map_err(|problem| Failure::usage(format!("{place} {problem}")))
    }
}

fn standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .take(limits::REQUEST_BODY.as_bytes() + 1)
        .read_to_string(&mut text)
        .map_err(|error| Failure::unreadable(Path::new("the standard input"), &error))?;
    Ok(text)
}

fn parse(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(input)) => Ok(input),
        Ok(other) => {
            Err(format!("is {}, not a JSON object: write for example '{{\"name\": \"Ada\"}}'", kind(&other)))
        }
        Err(error) => Err(format!("is not JSON ({error}): write for example '{{\"name\": \"Ada\"}}'")),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(argument: &str, expected: &str) {
        let read = JobInput { input: Some(argument.to_owned()) }.read();
        let shown = match read {
            Ok(input) => serde_json::to_string(&input).unwrap(),
            Err(failure) => failure.to_string(),
        };
        assert_eq!(shown, expected, "{argument}");
    }

    #[test]
    fn input_is_an_object_in_line_or_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "{\"b\": 1, \"a\": 2}\n").unwrap();
        check(&format!("@{}", file.path().display()), r#"{"b":1,"a":2}"#);
        check(r#"{"a": 1}"#, r#"{"a":1}"#);
    }

    #[test]
    fn what_is_not_an_object_is_said_with_the_remedy() {
        check("[1]", "--input is a list, not a JSON object: write for example '{\"name\": \"Ada\"}'");
        check(
            "name=x",
            "--input is not JSON (expected ident at line 1 column 2): write for example '{\"name\": \"Ada\"}'",
        );
        check("@/no/such.json", "cannot read /no/such.json: No such file or directory (os error 2)");
    }
}
