//! The JSON Schema of workflow files, from the same tables as lowering.

/// The schema of one file under `.workflows/`, draft 2020-12.
pub fn workflow_file() -> serde_json::Value {
    todo!()
}
