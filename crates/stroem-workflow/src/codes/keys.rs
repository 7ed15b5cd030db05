//! Codes of keys: unknown, missing, or in the wrong place.

use super::Code;

pub(super) const CODES: &[Code] = &[
    Code::error(
        "unknown_key",
        "the key does not exist here",
        "Nothing that you write is ignored: a misspelt key would otherwise silently lose its effect, for example a \
         timeout. The message names the key that is most likely meant, or all keys that can stand here.",
        "correct the spelling or remove the key",
        "tasks:\n  t:\n    flow:\n      a: { type: script, script: date, timout: 5m }\n",
        "tasks:\n  t:\n    flow:\n      a: { type: script, script: date, timeout: 5m }\n",
    )
    .structural(),
    Code::error(
        "missing_key",
        "a required key is missing",
        "Without this key nothing sensible can be run. The message says what it is for.",
        "add the key",
        "actions:\n  a: { type: docker, cmd: date }\n",
        "actions:\n  a: { type: docker, image: alpine, cmd: date }\n",
    )
    .structural(),
    Code::error(
        "key_of_another_type",
        "the key belongs to another `type`",
        "Which keys an action or a trigger takes follows from its `type`. The message says which types take this key.",
        "remove the key, or change the `type`",
        "actions:\n  a: { type: script, script: date, image: alpine }\n",
        "actions:\n  a: { type: docker, image: alpine, cmd: date }\n",
    )
    .structural(),
    Code::error(
        "key_of_another_runner",
        "the key needs another `runner`",
        "`manifest` changes the pod in which a script runs, so that it needs `runner: pod`. `container` and \
         `resources.pids` are for containers of a Docker engine: `type: docker`, or a script with `runner: docker`.",
        "add the `runner` that the message names, or remove the key",
        "actions:\n  a: { type: script, script: date, manifest: { spec: { nodeName: big } } }\n",
        "actions:\n  a: { type: script, runner: pod, script: date, manifest: { spec: { nodeName: big } } }\n",
    ),
    Code::error(
        "key_of_another_language",
        "the key needs another `language`",
        "`dependencies` are packages of a language's own package manager; the shell has none.",
        "remove `dependencies`, or write the script's `language`",
        "actions:\n  a: { type: script, script: jq . data.json, dependencies: [jq] }\n",
        "actions:\n  a: { type: script, language: python, script: import requests, dependencies: [requests] }\n",
    ),
    Code::error(
        "key_of_the_action",
        "a step that refers to an action writes a key of the action",
        "A step with `action` takes what the action says and adds its own `input`, `tags`, `timeout` and `retry`. Other \
         keys of actions would have no effect there.",
        "write it at the action, or remove `action` and make the step inline with `type`",
        "actions:\n  a: { type: script, script: env }\ntasks:\n  t:\n    flow:\n      x: { action: a, env: { A: b } }\n",
        "actions:\n  a: { type: script, script: env, env: { A: b } }\ntasks:\n  t:\n    flow:\n      x: { action: a }\n",
    )
    .structural(),
    Code::error(
        "action_and_type",
        "a step has both `action` and `type`",
        "`action` refers to an action that is defined elsewhere, `type` makes the step its own action. One of the two \
         would be ignored.",
        "remove `action`, or remove `type` and the keys that belong to it",
        "actions:\n  a: { type: script, script: date }\ntasks:\n  t:\n    flow:\n      x: { action: a, type: script, script: uptime }\n",
        "actions:\n  a: { type: script, script: date }\ntasks:\n  t:\n    flow:\n      x: { action: a }\n      y: { type: script, script: uptime }\n",
    )
    .structural(),
    Code::error(
        "script_and_source",
        "a script has both its text and its path",
        "`script` is the program's text, `source` the path of a file with it.",
        "remove `script` or `source`",
        "actions:\n  a: { type: script, script: date, source: scripts/date.sh }\n",
        "actions:\n  a: { type: script, source: scripts/date.sh }\n",
    )
    .structural(),
    Code::error(
        "cmd_and_command",
        "a container has both `cmd` and `command`",
        "`cmd` is a line for `sh -c`; `command` is a list that replaces the image's command. One of the two would be \
         ignored.",
        "remove `cmd` or `command`",
        "actions:\n  a: { type: docker, image: alpine, cmd: date, command: [date] }\n",
        "actions:\n  a: { type: docker, image: alpine, command: [date, -u] }\n",
    ),
    Code::error(
        "no_effect",
        "the key has no effect here",
        "The key changes something that is not there: `sequential` changes a loop, `allow_custom` a list of `options`, \
         `timeout_secs` of a webhook how long a caller waits with `mode: sync`.",
        "remove the key, or add what it changes",
        "tasks:\n  t:\n    flow:\n      a: { type: script, script: date, sequential: true }\n",
        "tasks:\n  t:\n    flow:\n      a: { type: script, script: date, for_each: [1, 2], sequential: true }\n",
    )
    .warning(),
];
