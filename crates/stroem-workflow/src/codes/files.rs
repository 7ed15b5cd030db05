//! Codes of what is wrong with a file as a whole, or with its YAML.

use super::Code;

pub(super) const CODES: &[Code] = &[
    Code::error(
        "yaml_syntax",
        "the file is not YAML",
        "The text cannot be read past this place. What stands before it still names its tasks, so that they are listed \
         as out of service; other files are not affected.",
        "mend the text at this place: close what is open there, and indent with spaces",
        "tasks:\n  t:\n    description: \"not closed\n    flow: { a: { type: script, script: date } }\n",
        "tasks:\n  t:\n    description: \"closed\"\n    flow: { a: { type: script, script: date } }\n",
    ),
    Code::error(
        "template_not_quoted",
        "a template stands without quotes where YAML reads it as a map",
        "In YAML a value that begins with `{` is a map. A template at the beginning of a value therefore needs quotes; \
         inside a longer text or a block (`|`) it does not.",
        "put the whole value in quotes",
        "tasks:\n  t:\n    flow:\n      a:\n        type: script\n        script: {{ input.program }}\n",
        "tasks:\n  t:\n    flow:\n      a:\n        type: script\n        script: \"{{ input.program }}\"\n",
    ),
    Code::error(
        "several_documents",
        "the file holds more than one YAML document",
        "A line `---` begins a new document. All files of a workspace are merged, so that a second document is best a \
         file of its own.",
        "remove the `---`, or put the second document into its own file",
        "tasks:\n  t:\n    flow: { a: { type: script, script: date } }\n---\nactions: {}\n",
        "tasks:\n  t:\n    flow: { a: { type: script, script: date } }\nactions: {}\n",
    ),
    Code::error(
        "duplicate_key",
        "a key is written twice in one map",
        "YAML readers commonly keep the last of two equal keys and drop the other without a word, for example a whole \
         step. Here it is an error that names both places.",
        "remove one of the two or rename it",
        "tasks:\n  t:\n    flow:\n      a: { type: script, script: date }\n      a: { type: script, script: uptime }\n",
        "tasks:\n  t:\n    flow:\n      a: { type: script, script: date }\n      b: { type: script, script: uptime }\n",
    ),
    Code::error(
        "key_not_text",
        "a key is a map, a list or nothing",
        "Keys are names. YAML would allow a map or a list as a key; that is nearly always a `{` or `[` that was meant as \
         text.",
        "put the key in quotes if it is text, or remove the brackets around it",
        "tasks:\n  [a, b]: { flow: { x: { type: script, script: date } } }\n",
        "tasks:\n  a-b: { flow: { x: { type: script, script: date } } }\n",
    ),
    Code::error(
        "unknown_tag",
        "a YAML tag is not known",
        "Tags such as `!include` are extensions of other programs. Ignoring one would silently change the value, so only \
         `!!str`, which makes a text of anything, is taken.",
        "only `!!str` is known; remove the tag",
        "tasks:\n  t:\n    description: !env HOME\n    flow: { a: { type: script, script: date } }\n",
        "tasks:\n  t:\n    description: !!str 2026\n    flow: { a: { type: script, script: date } }\n",
    ),
    Code::error(
        "alias_in_itself",
        "an alias stands inside the value it refers to",
        "`*name` copies what `&name` marks. Inside the marked value the copy would never end.",
        "write the value out, or move the anchor `&name` to a value that does not hold the alias",
        "tasks: &all\n  t: *all\n",
        "tasks:\n  a: &one { flow: { x: { type: script, script: date } } }\n  b: *one\n",
    ),
    Code::error(
        "file_too_large",
        "the file is larger than is read",
        "A workflow file can have 4 MiB. Larger ones are nearly always data that belongs beside the workflow.",
        "split the file, or move data out of it into files of the workspace",
        "# more than 4 MiB\n",
        "tasks:\n  t:\n    flow: { a: { type: script, source: scripts/large.sh } }\n",
    )
    .made(|| format!("# {}\n", "x".repeat(5 << 20))),
    Code::error(
        "too_deep",
        "maps and lists are nested too deep",
        "Values can be nested 64 deep.",
        "flatten the value, or pass it as a text",
        "mcp_servers:\n  a: { x: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[ ]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]] }\n",
        "mcp_servers:\n  a: { x: [[]] }\n",
    ),
    Code::error(
        "too_many_values",
        "the file holds too many values",
        "A file can have 1,000,000 values, with every alias counted as what it copies: a few lines of aliases of aliases \
         can stand for billions.",
        "split the file, or use fewer aliases",
        "mcp_servers:\n  a: &a { x: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1] }\n  b: &b { x: [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a] }\n  \
         c: &c { x: [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b] }\n  d: &d { x: [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c] }\n  \
         e: &e { x: [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d] }\n  f: { x: [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e] }\n",
        "mcp_servers:\n  a: &a { x: [1, 1, 1] }\n  b: { x: [*a, *a, *a] }\n",
    ),
    Code::error(
        "too_many_problems",
        "the file has more problems than are listed",
        "After 500 problems of one file the rest is not listed.",
        "mend the listed problems first, then check again",
        "# 500 steps, each with an unknown key\n",
        "tasks:\n  t:\n    flow: { a: { type: script, script: date } }\n",
    )
    .made(|| {
        let step = |index| format!("      s{index}: {{ type: script, script: date, colour: red }}\n");
        format!("tasks:\n  t:\n    flow:\n{}", (0..600).map(step).collect::<String>())
    }),
    Code::error(
        "not_yet_supported",
        "this version reads it but cannot run it",
        "The file is in order and stays in service. What uses the named construct is refused when it is started, with \
         this reason; nothing of it is silently left out.",
        "run it with a version that has it, or write it without this for now",
        "tasks:\n  t:\n    flow: { a: { type: approval, message: \"Go on?\" } }\n",
        "tasks:\n  t:\n    flow: { a: { type: script, script: date } }\n",
    )
    .warning(),
];
