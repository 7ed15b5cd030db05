//! Codes of values that do not fit their key.

use super::Code;

pub(super) const CODES: &[Code] = &[
    Code::error(
        "wrong_type",
        "the value is of the wrong type",
        "The key takes another kind of value, for example a list and not a single text. Nothing is converted silently: \
         `depends_on: build` could mean a list of one, but also a mistake.",
        "write a value of the type that the message names",
        "tasks:\n  t:\n    flow:\n      a: { type: script, script: date }\n      b: { type: script, script: date, depends_on: a }\n",
        "tasks:\n  t:\n    flow:\n      a: { type: script, script: date }\n      b: { type: script, script: date, depends_on: [a] }\n",
    )
    .structural(),
    Code::error(
        "no_value",
        "the key has no value",
        "A key without a value is mostly a line that was forgotten or indented wrongly.",
        "write a value or remove the key",
        "tasks:\n  t:\n    timeout:\n    flow:\n      a: { type: script, script: date }\n",
        "tasks:\n  t:\n    timeout: 5m\n    flow:\n      a: { type: script, script: date }\n",
    ),
    Code::error(
        "unknown_value",
        "the value is not one of the words that the key takes",
        "The key takes one of a few words; the message names them or the one that is most likely meant.",
        "write one of the words that the key takes",
        "actions:\n  a: { type: script, language: pyhton, script: print(1) }\n",
        "actions:\n  a: { type: script, language: python, script: print(1) }\n",
    )
    .structural(),
    Code::error(
        "bad_mount",
        "the text is not a mount",
        "A mount names a file or folder of the engine's host and its place in the container, both as absolute paths that \
         can mean one place only. Whether the worker allows it is found out when the step runs.",
        "write `/from:/to`, or `/from:/to:ro`",
        "actions:\n  a: { type: docker, image: docker, cmd: docker build ., container: { mounts: [docker.sock] } }\n",
        "actions:\n  a: { type: docker, image: docker, cmd: docker build ., container: { mounts: [\"/var/run/docker.sock:/var/run/docker.sock\"] } }\n",
    ),
    Code::error(
        "unknown_cause",
        "the name of a cause is not known",
        "`retry.on` lists after which outcomes an attempt is run again.",
        "write one of the causes that `stroem reference workflow` lists",
        "actions:\n  a: { type: script, script: date, retry: { on: [failure] } }\n",
        "actions:\n  a: { type: script, script: date, retry: { on: [failed, timed_out] } }\n",
    )
    .structural(),
    Code::error(
        "out_of_range",
        "the number is too small or too large",
        "Every number has a range, which the help names.",
        "write a number inside the range that the help names",
        "actions:\n  a: { type: script, script: date, retry: { max_attempts: 11 } }\n",
        "actions:\n  a: { type: script, script: date, retry: { max_attempts: 10 } }\n",
    )
    .structural(),
    Code::error(
        "bad_duration",
        "the duration is not one, is zero, or is too long",
        "Durations are `30s`, `5m`, `1h30m`, `7d`, or a whole number of seconds. Zero is refused, as it could mean both \
         \"at once\" and \"never\". A step's timeout is 24h at most, a task's 7d, the delay of a retry 1h.",
        "write a duration such as `30s`, `5m`, `1h30m`, or whole seconds, within the limit",
        "tasks:\n  t:\n    timeout: 5 min\n    flow: { a: { type: script, script: date } }\n",
        "tasks:\n  t:\n    timeout: 5m\n    flow: { a: { type: script, script: date } }\n",
    ),
    Code::error(
        "bad_quantity",
        "the amount of CPU or memory cannot be read",
        "CPU is a number of processors (`2`, `0.5`) or thousandths (`500m`); memory is bytes with a unit (`512Mi`, \
         `2Gi`).",
        "write CPU as `500m` or `2`, memory as `512Mi` or `2Gi`",
        "actions:\n  a: { type: script, script: date, resources: { memory: lots } }\n",
        "actions:\n  a: { type: script, script: date, resources: { cpu: 500m, memory: 512Mi } }\n",
    ),
    Code::error(
        "bad_tag",
        "the text cannot be a tag",
        "Tags decide which workers may run a step, before anything is rendered: they are literal letters, digits and a \
         few signs, never templates.",
        "write a literal tag of letters, digits, `-`, `_`, `.`, `:` or `/`",
        "actions:\n  a: { type: script, script: date, tags: [\"{{ input.where }}\"] }\n",
        "actions:\n  a: { type: script, script: date, tags: [gpu] }\n",
    ),
    Code::error(
        "bad_cron",
        "the `cron` expression cannot be read",
        "A schedule has 5 fields (minute, hour, day of month, month, day of week) or 6 with seconds first. Fields take \
         `*`, numbers, names of months and days, ranges `a-b`, steps `/n`, lists `a,b`; days also `L`, `#` and `W`.",
        "write 5 or 6 fields, such as `0 3 * * *` for every night at three",
        "triggers:\n  nightly: { type: scheduler, task: t, cron: 0 25 * * * }\ntasks:\n  t:\n    flow: { a: { type: script, script: date } }\n",
        "triggers:\n  nightly: { type: scheduler, task: t, cron: 0 3 * * * }\ntasks:\n  t:\n    flow: { a: { type: script, script: date } }\n",
    ),
    Code::error(
        "unknown_type",
        "an input's type is neither one of the language nor a connection type",
        "Inputs are `string`, `text`, `integer`, `number`, `boolean`, `date`, `datetime`, or the name of a connection \
         type of this workspace.",
        "write `string`, `text`, `integer`, `number`, `boolean`, `date`, `datetime` or a connection type",
        "tasks:\n  t:\n    input: { count: { type: int } }\n    flow: { a: { type: script, script: date } }\n",
        "tasks:\n  t:\n    input: { count: { type: integer } }\n    flow: { a: { type: script, script: date } }\n",
    ),
    Code::error(
        "bad_default",
        "a default does not fit the type or the options of its input",
        "The default is used as if it had been given, so it must be a value that could be given.",
        "write a default of the input's type, and one of its `options`",
        "tasks:\n  t:\n    input: { count: { type: integer, default: many } }\n    flow: { a: { type: script, script: date } }\n",
        "tasks:\n  t:\n    input: { count: { type: integer, default: 3 } }\n    flow: { a: { type: script, script: date } }\n",
    ),
    Code::error(
        "bad_option",
        "an option does not fit the type of its input",
        "Nobody could ever choose an option that the type refuses.",
        "write options of the input's type",
        "tasks:\n  t:\n    input: { count: { type: integer, options: [1, two] } }\n    flow: { a: { type: script, script: date } }\n",
        "tasks:\n  t:\n    input: { count: { type: integer, options: [1, 2] } }\n    flow: { a: { type: script, script: date } }\n",
    ),
    Code::error(
        "bad_input",
        "a value that a step gives does not fit the action's input",
        "The action says which types and options its inputs have. Literal values are checked here; those of templates \
         when they are known, before the step starts.",
        "write a value of the type and one of the options that the action's `input` says",
        "actions:\n  a: { type: script, script: date, input: { count: { type: integer } } }\ntasks:\n  t:\n    flow: { x: { action: a, input: { count: three } } }\n",
        "actions:\n  a: { type: script, script: date, input: { count: { type: integer } } }\ntasks:\n  t:\n    flow: { x: { action: a, input: { count: 3 } } }\n",
    ),
    Code::error(
        "bad_property",
        "a connection's value does not fit the property of its type",
        "The connection type says which types its properties have.",
        "write a value of the type that the connection type says",
        "connection_types:\n  db: { port: { type: integer } }\nconnections:\n  main: { type: db, port: many }\n",
        "connection_types:\n  db: { port: { type: integer } }\nconnections:\n  main: { type: db, port: 5432 }\n",
    ),
    Code::error(
        "outside_workspace",
        "a path leads out of the workspace",
        "`source` is a path inside the workspace: it is what a revision holds, so that a run can be repeated.",
        "write a path relative to the workspace, without `..` and without `/` at its beginning",
        "actions:\n  a: { type: script, source: ../outside.sh }\n",
        "actions:\n  a: { type: script, source: scripts/inside.sh }\n",
    ),
];
