//! The tables that are moved from store to store.

use super::{Column, Kind, Table};

macro_rules! tables {
    ($($table:ident { $($column:ident: $kind:ident),* $(,)? })*) => {
        /// Every table whose rows are moved. What a store derives from these, such as counts of jobs, or holds for its own
        /// connections, is not among them.
        pub static TABLES: &[Table] = &[$(Table {
            name: stringify!($table),
            columns: &[$(Column { name: stringify!($column), kind: Kind::$kind }),*],
        }),*];
    };
}

tables! {
    plan { hash: Bytes, json: Text }
    job {
        id: Id, workspace: Text, task: Text, revision: Text, plan: Bytes, source_type: Text, source_id: Text,
        status: Integer, shown: Integer, version: Integer, priority: Integer, open_steps: Integer,
        failed_steps: Integer, skipped_steps: Integer, stop: Integer, stop_requested_at: Integer,
        created_at: Integer, started_at: Integer, completed_at: Integer, error: Text,
    }
    job_input { job: Id, input: Text }
    step {
        job: Id, step: Integer, status: Integer, unmet_deps: Integer, skipped_deps: Integer, failed_deps: Integer,
        attempt: Integer, fence: Integer, worker: Id, requeues: Integer, ready_at: Integer, started_at: Integer,
        completed_at: Integer, outcome: Text, error: Text,
    }
    step_data { job: Id, step: Integer, input: Text, output: Text }
    attempt {
        job: Id, step: Integer, attempt: Integer, fence: Integer, worker: Id, ready_at: Integer,
        claimed_at: Integer, started_at: Integer, ended_at: Integer, outcome: Text,
    }
    queue_key { id: Integer, tags: Text }
    queue { queue_key: Integer, priority: Integer, ready_at: Integer, job: Id, step: Integer, avoid_worker: Id }
    lease {
        fence: Integer, job: Id, step: Integer, attempt: Integer, worker: Id, claimed_at: Integer, kill: Text,
        scope: Text, handle: Text, mark_json: Text, offered_at: Integer,
    }
    timer { job: Id, step: Integer, attempt: Integer, fence: Integer, kind: Integer, due_at: Integer }
    worker {
        id: Id, name: Text, instance: Id, tags: Text, withdrawn: Text, exclusive: Flag, capacity: Integer,
        version: Text, session: Bytes, registered_at: Integer, last_seen: Integer, draining: Flag,
        gone_at: Integer,
    }
    log { job: Id, next_chunk_no: Integer, newest_at: Integer, blob_key: Text, sealed_chunks: Integer }
    log_attempt { job: Id, step: Integer, attempt: Integer, next_seq: Integer }
    log_chunk {
        job: Id, chunk_no: Integer, step: Integer, attempt: Integer, seq: Integer, lines: Integer,
        raw_bytes: Integer, first_at: Integer, last_at: Integer, payload: Bytes,
    }
}
