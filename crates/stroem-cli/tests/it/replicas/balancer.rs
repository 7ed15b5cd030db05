//! Spreads connections over servers, one after the other, and passes over those that do not listen.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// A balancer that works until it is dropped.
pub(crate) struct Balancer {
    pub(crate) address: String,
    /// Connections that each server got.
    passed: Arc<Vec<AtomicUsize>>,
    _tasks: JoinSet<()>,
}

impl Balancer {
    pub(crate) async fn start(servers: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let passed: Arc<Vec<AtomicUsize>> = Arc::new(servers.iter().map(|_| AtomicUsize::new(0)).collect());
        let counts = Arc::clone(&passed);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            for turn in 0_usize.. {
                let (client, _) = listener.accept().await.expect("accepts");
                connections.spawn(pass(client, servers.clone(), turn, Arc::clone(&counts)));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, passed, _tasks: tasks }
    }

    pub(crate) fn passed(&self) -> Vec<usize> {
        self.passed.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }
}

/// The connection ends with either end.
async fn pass(mut client: TcpStream, servers: Vec<SocketAddr>, turn: usize, passed: Arc<Vec<AtomicUsize>>) {
    for index in (0..servers.len()).map(|more| (turn + more) % servers.len()) {
        let Ok(mut server) = TcpStream::connect(servers[index]).await else { continue };
        passed[index].fetch_add(1, Ordering::Relaxed);
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        return;
    }
}
