//! The filters, tests and functions of the language: what is not here is a problem at load, with "did you mean".

pub(super) const FILTERS: &[&str] = &[
    "abs",
    "as_str",
    "attr",
    "batch",
    "bool",
    "capitalize",
    "concat",
    "count",
    "d",
    "date",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "format",
    "get",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "json_encode",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "nth",
    "pprint",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "slugify",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "trim_end",
    "trim_start",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "vals",
    "zip",
];

pub(super) const TESTS: &[&str] = &[
    "!=",
    "<",
    "<=",
    "==",
    ">",
    ">=",
    "boolean",
    "containing",
    "defined",
    "divisibleby",
    "ending_with",
    "endingwith",
    "eq",
    "equalto",
    "even",
    "false",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "object",
    "odd",
    "sameas",
    "sequence",
    "starting_with",
    "startingwith",
    "string",
    "true",
    "undefined",
    "upper",
];

pub(super) const FUNCTIONS: &[&str] = &["dict", "range"];

#[cfg(test)]
mod tests {
    use minijinja::Value;

    use super::*;

    #[test]
    fn every_name_of_the_language_is_known_to_the_engine() {
        for (names, test) in [(FILTERS, "filter"), (TESTS, "test")] {
            for name in names {
                let template = format!("{{{{ name is {test} }}}}");
                let context = Value::from_pairs([("name", *name)]);
                assert_eq!(
                    crate::template::render_text(&template, &context).as_deref(),
                    Ok("true"),
                    "{name}"
                );
            }
        }
    }
}
