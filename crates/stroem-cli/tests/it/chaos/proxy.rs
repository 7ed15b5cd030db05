//! Stands between one worker and the server, understands what passes, and lets it go wrong as planned. It kills
//! nobody itself: that is ordered from whoever started the processes.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex as StdMutex, PoisonError},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1::SendRequest, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Mutex, mpsc, oneshot, watch},
    task::JoinSet,
};

use super::{Fault, Plan, ProtocolStep};

/// Something to be done to a process; `done` is answered when it is dead.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) fault: Fault,
    pub(crate) worker: String,
    pub(crate) done: oneshot::Sender<()>,
}

/// A proxy that listens until it is dropped.
pub(crate) struct Proxy {
    /// Where the worker finds it.
    pub(crate) address: String,
    /// Requests that arrived, by path.
    counts: Arc<StdMutex<BTreeMap<String, u64>>>,
    cut_off: Arc<watch::Sender<bool>>,
    _tasks: JoinSet<()>,
}

#[derive(Clone)]
struct Way {
    server: SocketAddr,
    worker: String,
    plan: Arc<Plan>,
    orders: mpsc::Sender<Order>,
    counts: Arc<StdMutex<BTreeMap<String, u64>>>,
    cut_off: Arc<watch::Sender<bool>>,
}

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("cut")]
struct Cut;

impl Proxy {
    /// For the worker of this name.
    pub(crate) async fn start(
        server: &str,
        worker: &str,
        plan: &Arc<Plan>,
        orders: mpsc::Sender<Order>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let server = server.strip_prefix("http://").expect("an address").parse().expect("an address");
        let (counts, cut_off) = (Arc::default(), Arc::new(watch::Sender::new(false)));
        let way = Way {
            server,
            worker: worker.to_owned(),
            plan: Arc::clone(plan),
            orders,
            counts: Arc::clone(&counts),
            cut_off: Arc::clone(&cut_off),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("accepts");
                stream.set_nodelay(true).expect("a socket");
                connections.spawn(serve(stream, way.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, counts, cut_off, _tasks: tasks }
    }

    /// Nothing passes any more, what is under way included, until it may again.
    pub(crate) fn cut_off(&self, cut_off: bool) {
        self.cut_off.send_replace(cut_off);
    }

    /// How many requests with this path arrived.
    pub(crate) fn requests(&self, path: &str) -> u64 {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).get(path).copied().unwrap_or(0)
    }

    /// How many requests arrived.
    pub(crate) fn all_requests(&self) -> u64 {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}

async fn serve(stream: TcpStream, way: Way) {
    let upstream = Arc::new(Mutex::new(Upstream::default()));
    let service = service_fn(move |request| {
        let (way, upstream) = (way.clone(), Arc::clone(&upstream));
        async move {
            let mut cut_off = way.cut_off.subscribe();
            let mut upstream = upstream.lock().await;
            tokio::select! {
                biased;
                _ = cut_off.wait_for(|cut_off| *cut_off) => Err(Cut),
                answer = way.pass(request, &mut upstream) => answer,
            }
        }
    });
    // An end by a cut is what this is for.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

impl Way {
    async fn pass(
        &self,
        request: Request<Incoming>,
        upstream: &mut Upstream,
    ) -> Result<Response<Full<Bytes>>, Cut> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        let path = parts.uri.path().to_owned();
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(path.clone()).or_default() += 1;
        let mut steps = ProtocolStep::of_request(&path, &body);
        if self.plan.fault(&steps, true).is_some() {
            return Err(Cut);
        }
        let response = upstream.send(self.server, Request::from_parts(parts, Full::new(body))).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        steps.retain(|step| head.status.is_success() && step.confirmed(&body));
        let reply = Ok(Response::from_parts(head, Full::new(body)));
        match self.plan.fault(&steps, false) {
            None | Some(Fault::CutRequest) => reply,
            Some(Fault::CutReply) => Err(Cut),
            Some(fault @ (Fault::KillServer | Fault::Drain)) => {
                self.order(fault).await;
                reply
            }
            Some(fault @ (Fault::KillWorker | Fault::KillServerAndCutReply)) => {
                self.order(fault).await;
                Err(Cut)
            }
        }
    }

    /// Waits until it is done, or until nobody takes orders any more.
    async fn order(&self, fault: Fault) {
        let (done, is_done) = oneshot::channel();
        if self.orders.send(Order { fault, worker: self.worker.clone(), done }).await.is_ok() {
            let _ = is_done.await;
        }
    }
}

/// The connection to the server that belongs to one of the worker's. Dropping it closes it, so the server sees a
/// worker that hangs up.
#[derive(Default)]
struct Upstream {
    sender: Option<SendRequest<Full<Bytes>>>,
    tasks: JoinSet<()>,
}

impl Upstream {
    async fn send(
        &mut self,
        server: SocketAddr,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Cut> {
        if let Some(sender) = self.sender.as_mut()
            && sender.ready().await.is_err()
        {
            self.sender = None;
        }
        if self.sender.is_none() {
            let stream = TcpStream::connect(server).await.map_err(|_| Cut)?;
            stream.set_nodelay(true).map_err(|_| Cut)?;
            let (sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|_| Cut)?;
            self.tasks.abort_all();
            self.tasks.spawn(async move {
                // The request's own answer says what happened.
                let _ = connection.await;
            });
            self.sender = Some(sender);
        }
        let sender = self.sender.as_mut().expect("just made");
        sender.send_request(request).await.map_err(|_| Cut)
    }
}
