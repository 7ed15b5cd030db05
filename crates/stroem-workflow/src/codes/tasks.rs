//! Codes of flows.

use super::Code;

pub(super) const CODES: &[Code] = &[
    Code::error(
        "no_steps",
        "a flow has no steps",
        "A task without steps would do nothing and succeed.",
        "add a step to `flow`",
        "tasks:\n  t: { flow: {} }\n",
        "tasks:\n  t: { flow: { a: { type: script, script: date } } }\n",
    )
    .structural(),
    Code::error(
        "too_many_steps",
        "a flow has too many steps",
        "A flow can have 10,000 steps. For the same work on many items, use `for_each`.",
        "split the task, or use `for_each` for steps that do the same",
        "# a flow of 10,001 steps\n",
        "tasks:\n  t: { flow: { a: { type: script, script: date, for_each: [1, 2, 3] } } }\n",
    )
    .made(|| {
        let step = |index| format!("      s{index}: {{ type: script, script: date }}\n");
        format!("tasks:\n  t:\n    flow:\n{}", (0..10_001).map(step).collect::<String>())
    })
    .structural(),
    Code::error(
        "too_many_items",
        "a loop has too many items",
        "A loop can have 10,000 items.",
        "split the list, or let one instance work on several items",
        "# for_each with a list of 10,001 items\n",
        "tasks:\n  t: { flow: { a: { type: script, script: date, for_each: [1, 2, 3] } } }\n",
    )
    .made(|| {
        let items = vec!["1"; 10_001].join(", ");
        format!("tasks:\n  t:\n    flow:\n      a: {{ type: script, script: date, for_each: [{items}] }}\n")
    })
    .structural(),
    Code::error(
        "depends_on_itself",
        "a step depends on itself",
        "It would wait for its own end.",
        "remove the step's own name from its `depends_on`",
        "tasks:\n  t: { flow: { a: { type: script, script: date, depends_on: [a] } } }\n",
        "tasks:\n  t: { flow: { a: { type: script, script: date } } }\n",
    ),
    Code::error(
        "dependency_cycle",
        "steps wait for each other",
        "None of the steps of the cycle could ever start. The message shows the way around.",
        "remove one of these dependencies",
        "tasks:\n  t:\n    flow:\n      a: { type: script, script: date, depends_on: [b] }\n      b: { type: script, script: date, depends_on: [a] }\n",
        "tasks:\n  t:\n    flow:\n      a: { type: script, script: date }\n      b: { type: script, script: date, depends_on: [a] }\n",
    ),
    Code::error(
        "task_in_itself",
        "a task runs itself as a child job",
        "It would start jobs without end.",
        "name another task, or remove the step",
        "tasks:\n  t: { flow: { a: { type: task, task: t } } }\n",
        "tasks:\n  t: { flow: { a: { type: task, task: u } } }\n  u: { flow: { a: { type: script, script: date } } }\n",
    ),
    Code::error(
        "constant_condition",
        "a condition is a plain text",
        "`when` is a template. A text without `{{ }}` is always the same: true, whatever it says.",
        "put the condition into `{{ }}` and quotes",
        "tasks:\n  t:\n    input: { deploy: { type: boolean } }\n    flow: { a: { type: script, script: date, when: input.deploy } }\n",
        "tasks:\n  t:\n    input: { deploy: { type: boolean } }\n    flow: { a: { type: script, script: date, when: \"{{ input.deploy }}\" } }\n",
    )
    .warning(),
];
