//! Whether a long history and a long queue of others slow down what a worker and a page ask: the same questions on an
//! empty store and on a full one.

use std::{path::Path, sync::Arc, time::Instant};

use serde_json::Map;
use stroem_api::{
    ControlPlane, HttpTransport,
    worker::{PROTOCOL, PollRequest, RegisterRequest},
};
use stroem_core::{InstanceId, Secret, WorkerName};
use stroem_store::{
    JobFilter, SharedStore,
    conformance::support::{at, claim_scripts, create, fan, registration, tags},
    transfer::Import,
};
use stroem_store_postgres::{Options, PostgresStore, transfer::PostgresImport};
use stroem_store_sqlite::{
    SqliteStore,
    transfer::{SqliteExport, SqliteImport},
};
use stroem_testkit::postgres::Database;

use crate::{
    millis,
    multiply::{Copies, multiply},
    percentile, report,
    system::{Bench, Store},
};

/// Questions of each kind.
const QUESTIONS: usize = 200;
/// Ready steps of one job.
const WIDTH: u64 = 10_000;

/// Names and medians in ms.
type Figures = Vec<(&'static str, f64)>;

/// Measures both stores' answers, and prints each figure of the full store with its ratio to the empty one.
pub(crate) async fn measure(stroem: &Path, store: Store, jobs: u64, rows: u64) {
    let empty = questions(stroem, store, store.database(), tempfile::tempdir().expect("a directory")).await;
    let (database, dir) = (store.database(), tempfile::tempdir().expect("a directory"));
    fill(stroem, (store, database.as_ref(), dir.path()), jobs, rows).await;
    let full = questions(stroem, store, database, dir).await;
    for ((name, before), (_, after)) in empty.into_iter().zip(full) {
        report(store, &format!("{name}, empty"), "ms", &[before]);
        report(store, &format!("{name}, full"), "ms", &[after]);
        report(store, &format!("{name}, full over empty"), "", &[after / before]);
    }
}

/// Runs both jobs on a server of its own, and multiplies what it stored.
async fn fill(stroem: &Path, to: (Store, Option<&Database>, &Path), jobs: u64, rows: u64) {
    let width = rows.clamp(1, WIDTH);
    let mut template = Bench::start(stroem, Store::Sqlite).await;
    let step = |index| format!("      s{index}: {{type: script, script: 'true', tags: [other]}}\n");
    let text = format!("tasks:\n  others:\n    flow:\n{}", (0..width).map(step).collect::<String>());
    std::fs::write(template.dir.path().join("workspace/.workflows/others.yaml"), text).expect("written");
    template.worker("w0", 1).await;
    let done = template.execute("echo").await;
    template.ended(done).await;
    let waiting = template.execute("others").await;
    template.kill_all();
    let mut from = SqliteExport::open(&template.dir.path().join("server")).expect("opens");
    let import: Box<dyn Import> = match to {
        (_, Some(database), _) => {
            Box::new(PostgresImport::open(&database.url(), Options::default()).await.expect("opens"))
        }
        (_, None, dir) => Box::new(SqliteImport::open(&dir.join("server")).expect("opens")),
    };
    let copies = [Copies { job: done, count: jobs }, Copies { job: waiting, count: rows.div_ceil(width) }];
    multiply(&mut from, import, &copies).await;
    if let Some(database) = to.1 {
        // What autovacuum would do a minute later, in the middle of the questions.
        database.psql("VACUUM ANALYZE");
    }
}

/// By HTTP first, since what is claimed at the port is nobody's afterwards.
async fn questions(
    stroem: &Path,
    store: Store,
    database: Option<Database>,
    dir: tempfile::TempDir,
) -> Figures {
    let mut bench = Bench::start_on(stroem, store, database, dir).await;
    let mut figures = by_http(&bench).await;
    bench.kill_all();
    let opened: SharedStore = match &bench.database {
        Some(database) => {
            let options = Options { hints: false, ..Options::default() };
            Arc::new(PostgresStore::open(&database.url(), options).await.expect("opens"))
        }
        None => Arc::new(SqliteStore::open(&bench.dir.path().join("server")).expect("opens")),
    };
    figures.extend(by_port(&opened).await);
    figures
}

async fn by_port(store: &SharedStore) -> Figures {
    store.register(registration(1, 1, at(1))).await.expect("registers");
    create(&**store, 1, fan(QUESTIONS)).await;
    let mut claims = Vec::new();
    for index in 0..QUESTIONS {
        let began = Instant::now();
        let claimed = claim_scripts(&**store, 1, 1, at(2 + i64::try_from(index).expect("few"))).await;
        claims.push(millis(began));
        assert_eq!(claimed.len(), 1);
    }
    let filters = [
        ("job list through the store", JobFilter { limit: 20, ..JobFilter::default() }),
        (
            "job list of one task through the store",
            JobFilter {
                workspace: Some("default".to_owned()),
                task: Some("echo".to_owned()),
                limit: 20,
                ..JobFilter::default()
            },
        ),
    ];
    let mut figures = vec![("claim through the store", percentile(&claims, 50))];
    for (name, filter) in filters {
        let mut lists = Vec::new();
        for _ in 0..QUESTIONS {
            let began = Instant::now();
            store.list(&filter).await.expect("reads");
            lists.push(millis(began));
        }
        figures.push((name, percentile(&lists, 50)));
    }
    figures
}

async fn by_http(bench: &Bench) -> Figures {
    let transport = Arc::new(HttpTransport::new(&bench.address).expect("an address"));
    let control = ControlPlane::new(transport);
    let request = RegisterRequest {
        protocol: PROTOCOL,
        name: WorkerName::new("asks").expect("a name"),
        instance: InstanceId::from_bytes([7; 16]),
        tags: tags("script"),
        withdrawn: Vec::new(),
        exclusive: false,
        capacity: 1_000,
        version: "bench".to_owned(),
        surviving: Vec::new(),
    };
    let session =
        control.register(&Secret::new("t".to_owned()), &request).await.expect("registers").session_token;
    let (mut held, mut claims) = (Vec::new(), Vec::new());
    for _ in 0..QUESTIONS {
        bench.client.execute("default", "echo", Map::new()).await.expect("a job");
        let poll = PollRequest {
            held: held.clone(),
            stopping: Vec::new(),
            free_slots: 1,
            wait_ms: 10_000,
            scopes: Vec::new(),
        };
        let began = Instant::now();
        let answer = control.poll(&session, &poll).await.expect("polls");
        claims.push(millis(began));
        held.extend(answer.claims.iter().map(|claim| claim.lease));
    }
    assert_eq!(held.len(), QUESTIONS);
    let mut figures = vec![("claim through HTTP", percentile(&claims, 50))];
    let one_task = [("workspace", "default"), ("task_name", "echo"), ("limit", "20")];
    for (name, query) in
        [("job list through HTTP", &one_task[2..]), ("job list of one task through HTTP", &one_task)]
    {
        let mut lists = Vec::new();
        for _ in 0..QUESTIONS {
            let began = Instant::now();
            bench.client.jobs(query).await.expect("a list");
            lists.push(millis(began));
        }
        figures.push((name, percentile(&lists, 50)));
    }
    figures
}
