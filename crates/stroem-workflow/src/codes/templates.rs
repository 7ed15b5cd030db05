//! Codes of templates and secrets.

use super::Code;

pub(super) const CODES: &[Code] = &[
    Code::error(
        "template_syntax",
        "a template has a syntax error",
        "Templates are Jinja: `{{ expression }}`, `{% statement %}`, `{# comment #}`. A shell's `${#name}` looks like the \
         beginning of a comment.",
        "correct the template, or put text that is none between `{% raw %}` and `{% endraw %}`",
        "tasks:\n  t: { flow: { a: { type: script, script: \"echo {{ input.name | }}\" } } }\n",
        "tasks:\n  t: { flow: { a: { type: script, script: \"echo {{ input.name | upper }}\" } } }\n",
    ),
    Code::error(
        "template_error",
        "the template of a secret fails",
        "Secrets are rendered when the files are loaded; nothing else is known then.",
        "write the secret as a literal text, or with filters on literal texts only",
        "secrets:\n  token: \"{{ input.token }}\"\n",
        "secrets:\n  token: \"{{ 'abcd' ~ '1234' }}\"\n",
    ),
    Code::error(
        "template_not_allowed",
        "a template stands where only literal values can",
        "The defaults of a task's input are shown in forms before any job exists, so that there is nothing to fill in.",
        "write a literal value, and put the template into the step's `input`",
        "tasks:\n  t:\n    input: { who: { default: \"{{ input.other }}\" } }\n    flow: { a: { type: script, script: date } }\n",
        "tasks:\n  t:\n    input: { who: { default: world } }\n    flow: { a: { type: script, script: date } }\n",
    ),
    Code::error(
        "unknown_in_template",
        "a template uses a filter, test or function that does not exist",
        "The message names the one that is most likely meant.",
        "use one of Jinja's filters, tests and functions",
        "tasks:\n  t: { flow: { a: { type: script, script: \"echo {{ input.name | uper }}\" } } }\n",
        "tasks:\n  t: { flow: { a: { type: script, script: \"echo {{ input.name | upper }}\" } } }\n",
    ),
    Code::error(
        "unknown_variable",
        "a template uses a variable that does not exist",
        "Templates see `input`, `secret`, `each`, `hook`, `state`, `global_state` and the steps of the flow, with `-` as \
         `_`.",
        "correct the name, or define the step or input that is meant",
        "tasks:\n  t:\n    flow:\n      build: { type: script, script: make }\n      use: { type: script, script: \"echo {{ biuld.output }}\", depends_on: [build] }\n",
        "tasks:\n  t:\n    flow:\n      build: { type: script, script: make }\n      use: { type: script, script: \"echo {{ build.output }}\", depends_on: [build] }\n",
    ),
    Code::error(
        "unknown_attribute",
        "a template reads something of a step that it does not have",
        "Of a step there are `output` and `error`.",
        "read the step's `output` or `error`",
        "tasks:\n  t:\n    flow:\n      build: { type: script, script: make }\n      use: { type: script, script: \"echo {{ build.version }}\", depends_on: [build] }\n",
        "tasks:\n  t:\n    flow:\n      build: { type: script, script: make }\n      use: { type: script, script: \"echo {{ build.output.version }}\", depends_on: [build] }\n",
    ),
    Code::error(
        "not_a_dependency",
        "a template uses a step that need not have ended",
        "A step's result is certain only for steps that depend on it, directly or through others.",
        "add the step to `depends_on`",
        "tasks:\n  t:\n    flow:\n      build: { type: script, script: make }\n      use: { type: script, script: \"echo {{ build.output }}\" }\n",
        "tasks:\n  t:\n    flow:\n      build: { type: script, script: make }\n      use: { type: script, script: \"echo {{ build.output }}\", depends_on: [build] }\n",
    ),
    Code::error(
        "unknown_secret",
        "there is no such secret",
        "`secret.a.b` reads the key `b` below `a` in `secrets` of any file of the workspace.",
        "define the secret under `secrets`, or correct the name",
        "secrets: { token: s3cr3t-token }\ntasks:\n  t: { flow: { a: { type: script, script: env, env: { T: \"{{ secret.tokne }}\" } } } }\n",
        "secrets: { token: s3cr3t-token }\ntasks:\n  t: { flow: { a: { type: script, script: env, env: { T: \"{{ secret.token }}\" } } } }\n",
    ),
    Code::error(
        "secret_in_condition",
        "a condition uses a secret",
        "Whether a step runs is visible to everybody, and would tell about the secret.",
        "compare the secret inside the script, or use an input that is not secret",
        "secrets: { token: s3cr3t-token }\ntasks:\n  t: { flow: { a: { type: script, script: date, when: \"{{ secret.token == 'x' }}\" } } }\n",
        "secrets: { token: s3cr3t-token }\ntasks:\n  t: { flow: { a: { type: script, script: date, when: \"{{ input.go }}\" } } }\n",
    ),
    Code::error(
        "short_secret",
        "a secret is too short to be hidden",
        "Secrets are masked wherever they occur in a log. One of three characters would mask half of it, and give itself \
         away.",
        "use a secret of at least 4 characters, or write the value where it is no secret",
        "secrets: { pin: \"123\" }\n",
        "secrets: { pin: \"123456\" }\n",
    ),
];
