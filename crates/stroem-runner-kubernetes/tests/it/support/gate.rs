//! Stands between the runner and the cluster, and can be shut: what a restart of the API server looks like from here.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use kube::config::Kubeconfig;
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// Passes connections on while it is open.
pub(crate) struct Gate {
    /// A kubeconfig that leads through it.
    pub(crate) credentials: tempfile::NamedTempFile,
    is_open: watch::Sender<bool>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Gate {
    /// None when there is no cluster, which is said.
    pub(crate) async fn open() -> Option<Self> {
        let (_, narrow, _) = super::cluster().await?;
        let mut written =
            serde_json::to_value(Kubeconfig::read_from(narrow).expect("a kubeconfig")).expect("JSON");
        let cluster = &mut written["clusters"][0]["cluster"];
        let server: http::Uri = cluster["server"].as_str().expect("a server").parse().expect("a URL");
        let target = server.authority().expect("an address").to_string();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        cluster["server"] = format!("https://{}", listener.local_addr().expect("bound")).into();
        cluster["tls-server-name"] = json!(server.host());
        let credentials = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(credentials.path(), written.to_string()).expect("written");
        let (is_open, seen) = watch::channel(true);
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        #[expect(clippy::disallowed_methods, reason = "ended with the gate")]
        let task = tokio::spawn(async move {
            let mut passing = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                if *seen.borrow() {
                    passing.spawn(pass(stream, target.clone(), seen.clone(), Arc::clone(&count)));
                }
            }
        });
        Some(Self { credentials, is_open, connections, task })
    }

    /// How many connections pass now.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Cuts every connection and takes none for this long.
    pub(crate) async fn cut_for(&self, time: Duration) {
        self.is_open.send_replace(false);
        tokio::time::sleep(time).await;
        self.is_open.send_replace(true);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(
    mut near: TcpStream,
    target: String,
    mut is_open: watch::Receiver<bool>,
    count: Arc<AtomicUsize>,
) {
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    count.fetch_add(1, Ordering::SeqCst);
    tokio::select! {
        // How it ends is what the test is about.
        _ended = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
        _shut = is_open.wait_for(|is_open| !is_open) => {}
    }
    count.fetch_sub(1, Ordering::SeqCst);
}
