//! A wire to the database that can be cut, and that counts how often the client waits for an answer.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use stroem_testkit::postgres::Database;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UnixStream},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// So long an answer is held back: whatever the client sends until then, it sends without waiting for it.
const DELAY: Duration = Duration::from_millis(15);

/// The wire.
pub(crate) struct Proxy {
    url: String,
    wire: Arc<Wire>,
}

struct Wire {
    socket: String,
    is_open: AtomicBool,
    round_trips: AtomicU64,
    /// Cancelled when the connections of this time are cut.
    cut: Mutex<CancellationToken>,
    tasks: TaskTracker,
}

impl Proxy {
    /// A wire to a database, by TCP at the client's end.
    pub(crate) async fn to(database: &Database) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let wire = Arc::new(Wire {
            socket: database.server().socket_file().display().to_string(),
            is_open: AtomicBool::new(true),
            round_trips: AtomicU64::new(0),
            cut: Mutex::default(),
            tasks: TaskTracker::new(),
        });
        let accepting = Arc::clone(&wire);
        wire.tasks.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if accepting.is_open.load(Ordering::SeqCst) {
                    let (one, cut) = (Arc::clone(&accepting), accepting.cut.lock().expect("whole").clone());
                    accepting.tasks.spawn(async move { cut.run_until_cancelled(one.serve(client)).await });
                }
            }
        });
        let url = format!("postgresql://postgres@127.0.0.1:{port}/{}?sslmode=disable", database.name());
        Self { url, wire }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Cuts all connections; new ones are refused until [`Self::mend`].
    pub(crate) fn cut(&self) {
        self.wire.is_open.store(false, Ordering::SeqCst);
        std::mem::take(&mut *self.wire.cut.lock().expect("whole")).cancel();
    }

    pub(crate) fn mend(&self) {
        self.wire.is_open.store(true, Ordering::SeqCst);
    }

    /// How often a client sent something after it had got an answer.
    pub(crate) fn round_trips(&self) -> u64 {
        self.wire.round_trips.load(Ordering::SeqCst)
    }
}

impl Wire {
    async fn serve(&self, client: TcpStream) {
        client.set_nodelay(true).expect("a socket takes it");
        let server = UnixStream::connect(&self.socket).await.expect("the server is there");
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let answered = AtomicBool::new(true);
        let questions = async {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
                if answered.swap(false, Ordering::SeqCst) {
                    self.round_trips.fetch_add(1, Ordering::SeqCst);
                }
                if to_server.write_all(&buffer[..read]).await.is_err() {
                    return;
                }
            }
        };
        let answers = async {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
                tokio::time::sleep(DELAY).await;
                answered.store(true, Ordering::SeqCst);
                if to_client.write_all(&buffer[..read]).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = questions => {}
            () = answers => {}
        }
    }
}
