//! Codes of names and of what refers to them.

use super::Code;

pub(super) const CODES: &[Code] = &[
    Code::error(
        "bad_name",
        "the text cannot be a name",
        "Names of tasks, actions and steps have letters, digits, `_`, `-`, `.` and spaces inside, 128 characters at \
         most. `[` and `]` are taken: they number the instances of a loop. Connection types cannot be called like an \
         input type of the language, and a webhook's name must fit an address.",
        "choose a name of letters, digits, `_`, `-` and `.`",
        "tasks:\n  \"t[0]\":\n    flow: { a: { type: script, script: date } }\n",
        "tasks:\n  t-0:\n    flow: { a: { type: script, script: date } }\n",
    ),
    Code::error(
        "duplicate_name",
        "a name is defined twice in the workspace",
        "All files of a workspace are merged. Which of two definitions counts would depend on the names of the files, so \
         that the second is an error that names the place of the first.",
        "rename one of the two or remove it",
        "# file: .workflows/a.yaml\ntasks:\n  t: { flow: { a: { type: script, script: date } } }\n# file: .workflows/b.yaml\ntasks:\n  t: { flow: { a: { type: script, script: uptime } } }\n",
        "# file: .workflows/a.yaml\ntasks:\n  t: { flow: { a: { type: script, script: date } } }\n# file: .workflows/b.yaml\ntasks:\n  u: { flow: { a: { type: script, script: uptime } } }\n",
    ),
    Code::error(
        "ambiguous_name",
        "two steps have the same name in templates",
        "In templates `-` becomes `_`, so that `a-b` and `a_b` would be the same variable.",
        "rename one of the two",
        "tasks:\n  t:\n    flow:\n      a-b: { type: script, script: date }\n      a_b: { type: script, script: date }\n",
        "tasks:\n  t:\n    flow:\n      a-b: { type: script, script: date }\n      a-c: { type: script, script: date }\n",
    ),
    Code::error(
        "unknown_action",
        "there is no such action",
        "`action` names a key under `actions` in any file of the workspace.",
        "define the action under `actions`, or correct the name",
        "actions:\n  greet: { type: script, script: date }\ntasks:\n  t: { flow: { x: { action: great } } }\n",
        "actions:\n  greet: { type: script, script: date }\ntasks:\n  t: { flow: { x: { action: greet } } }\n",
    ),
    Code::error(
        "unknown_task",
        "there is no such task",
        "The name must be a key under `tasks` in any file of the workspace.",
        "define the task under `tasks`, or correct the name",
        "triggers:\n  hook: { type: webhook, name: hook, task: buidl }\ntasks:\n  build: { flow: { x: { type: script, script: make } } }\n",
        "triggers:\n  hook: { type: webhook, name: hook, task: build }\ntasks:\n  build: { flow: { x: { type: script, script: make } } }\n",
    ),
    Code::error(
        "unknown_step",
        "there is no such step in the flow",
        "`depends_on` names steps of the same flow.",
        "correct the name, or add the step to this flow",
        "tasks:\n  t:\n    flow:\n      build: { type: script, script: make }\n      test: { type: script, script: make test, depends_on: [biuld] }\n",
        "tasks:\n  t:\n    flow:\n      build: { type: script, script: make }\n      test: { type: script, script: make test, depends_on: [build] }\n",
    ),
    Code::error(
        "unknown_connection_type",
        "there is no such connection type",
        "A connection's `type` is a key under `connection_types` in any file of the workspace.",
        "define the type under `connection_types`, or correct the name",
        "connection_types:\n  postgres: { host: { type: string } }\nconnections:\n  main: { type: postgre, host: db }\n",
        "connection_types:\n  postgres: { host: { type: string } }\nconnections:\n  main: { type: postgres, host: db }\n",
    ),
    Code::error(
        "library_unavailable",
        "the action belongs to a library or workspace that cannot be imported",
        "`library.name` refers to an action of a library. This version cannot import libraries.",
        "define the action in this workspace",
        "tasks:\n  t: { flow: { x: { action: tools.greet } } }\n",
        "actions:\n  greet: { type: script, script: date }\ntasks:\n  t: { flow: { x: { action: greet } } }\n",
    ),
    Code::error(
        "action_out_of_service",
        "the file of what is used here has errors",
        "A file with an error takes only itself out of service. This file is in order, but it uses an action or a task \
         of one that is not; what uses it cannot run until that file is mended.",
        "mend the errors of the file that the message names",
        "# file: .workflows/actions.yaml\nactions:\n  greet: { type: script, scirpt: date }\n# file: .workflows/tasks.yaml\ntasks:\n  t: { flow: { x: { action: greet } } }\n",
        "# file: .workflows/actions.yaml\nactions:\n  greet: { type: script, script: date }\n# file: .workflows/tasks.yaml\ntasks:\n  t: { flow: { x: { action: greet } } }\n",
    )
    .warning(),
    Code::error(
        "no_matching_worker",
        "no active worker has the tags of a step",
        "A worker takes a step only if it alone has all of the step's tags: those that its action needs (`script`, \
         `docker`, `kubernetes`, `agent`), the action's and the step's own. Without one the step waits, and fails when \
         nobody came. Checked where a server is named: `stroem validate --server URL`, or `STROEM_URL`.",
        "start a worker with these tags, or correct the tags of the step",
        "tasks:\n  t: { flow: { train: { type: script, script: date, tags: [gqu] } } }\n",
        "tasks:\n  t: { flow: { train: { type: script, script: date } } }\n",
    )
    .warning()
    .made(|| "tasks:\n  t: { flow: { train: { type: script, script: date, tags: [gqu] } } }\n".to_owned()),
    Code::error(
        "missing_input",
        "a step does not give an input that its action requires",
        "The action says `required: true` and has no default.",
        "add the input to the step's `input`",
        "actions:\n  greet: { type: script, script: date, input: { who: { required: true } } }\ntasks:\n  t: { flow: { x: { action: greet } } }\n",
        "actions:\n  greet: { type: script, script: date, input: { who: { required: true } } }\ntasks:\n  t: { flow: { x: { action: greet, input: { who: Ada } } } }\n",
    ),
    Code::error(
        "unknown_input",
        "there is no such input",
        "A task or an action with an input schema takes those inputs and no others. One without a schema takes any.",
        "correct the name, or add the input to the schema",
        "tasks:\n  t:\n    input: { name: { type: string } }\n    flow: { a: { type: script, script: 'echo {{ input.nmae }}' } }\n",
        "tasks:\n  t:\n    input: { name: { type: string } }\n    flow: { a: { type: script, script: 'echo {{ input.name }}' } }\n",
    ),
];
