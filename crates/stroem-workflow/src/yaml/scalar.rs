//! Plain scalars after the YAML 1.2 core schema: null, booleans and numbers; everything else is text.

use serde_json::Number;

use super::{Data, Style};

pub(super) fn resolve(text: &str) -> Data {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Data::Null,
        "true" | "True" | "TRUE" => return Data::Bool(true, text.into()),
        "false" | "False" | "FALSE" => return Data::Bool(false, text.into()),
        _ => {}
    }
    match number(text) {
        Some(number) => Data::Number(number, text.into()),
        None => Data::Text(text.to_owned(), Style::Plain),
    }
}

fn number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().map(Number::from);
    }
    if unsigned.bytes().all(|b| b.is_ascii_digit()) {
        let text = text.strip_prefix('+').unwrap_or(text);
        return text
            .parse::<i64>()
            .map(Number::from)
            .or_else(|_| text.parse::<u64>().map(Number::from))
            .ok()
            .or_else(|| text.parse().ok().and_then(Number::from_f64));
    }
    let shape = unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    let has_digit =
        unsigned.split(['e', 'E']).next().is_some_and(|part| part.contains(|c: char| c.is_ascii_digit()));
    if shape && has_digit { text.parse().ok().and_then(Number::from_f64) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for (text, json) in [
            ("", "null"),
            ("~", "null"),
            ("true", "true"),
            ("yes", "\"yes\""),
            ("12", "12"),
            ("-0", "0"),
            ("0x1F", "31"),
            ("1.10", "1.1"),
            ("1e3", "1000.0"),
            ("1.2.3", "\"1.2.3\""),
            (".", "\".\""),
            ("-", "\"-\""),
            (".inf", "\".inf\""),
            ("2026-01-02", "\"2026-01-02\""),
            ("1_000", "\"1_000\""),
        ] {
            let node = super::super::Node { span: crate::report::Span::default(), data: resolve(text) };
            assert_eq!(node.to_json().to_string(), json, "{text:?}");
        }
    }
}
