//! The connection to an engine: made when it is first needed, checked when somebody asks.

use std::{
    error::Error as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bollard::{API_DEFAULT_VERSION, Docker, errors::Error};
use futures_util::{FutureExt, TryFutureExt, future::BoxFuture};
use hyper::{
    Request, Response,
    body::{Body, Incoming},
};
use hyper_util::{
    client::legacy::{Client, connect::Connect},
    rt::{TokioExecutor, TokioIo},
};
use stroem_core::{CpuQuantity, Outcome};
use tokio::{net::UnixStream, sync::OnceCell};

use crate::{DockerRunnerOptions, OptionsError, address::Address, tls};

/// How long the engine may take to begin an answer.
const ANSWER_SECS: u64 = 60;
/// The same when somebody only wants to know whether it is there.
const PING: Duration = Duration::from_secs(5);

/// An engine, there or not.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    /// Its API.
    pub(crate) docker: Docker,
    address: Address,
    is_negotiated: Arc<OnceCell<()>>,
    facts: Arc<OnceCell<Facts>>,
}

/// What does not change while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Names the engine among all engines.
    pub(crate) id: String,
    /// Where it keeps its images, on its own host.
    pub(crate) data_root: PathBuf,
    /// All its processors.
    pub(crate) cpu: Option<CpuQuantity>,
    /// Whether it has the log driver `local`, which alone keeps bytes as they are.
    pub(crate) has_local_logs: bool,
}

impl Engine {
    /// Prepares the connection; nothing is sent.
    pub(crate) fn new(options: &DockerRunnerOptions) -> Result<Self, OptionsError> {
        let address = Address::parse(options.host.as_deref(), options.tls.is_some())?;
        let (secs, version) = (ANSWER_SECS, API_DEFAULT_VERSION);
        let connected = match (&address, &options.tls) {
            (Address::Unix(path), _) => {
                let path: Arc<Path> = path.as_path().into();
                let connect = tower::service_fn(move |_: hyper::Uri| {
                    let path = Arc::clone(&path);
                    async move { UnixStream::connect(path).await.map(TokioIo::new) }.boxed()
                });
                let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connect);
                Docker::connect_with_custom_transport(through(client), Some("http://docker"), secs, version)
            }
            (Address::Tcp(authority), None) => {
                Docker::connect_with_http(&format!("tcp://{authority}"), secs, version)
            }
            (Address::Tcp(authority), Some(files)) => {
                let client = Client::builder(TokioExecutor::new()).build(tls::connector(files)?);
                let address = format!("https://{authority}");
                Docker::connect_with_custom_transport(through(client), Some(address), secs, version)
            }
        };
        let docker = connected
            .map_err(|error| OptionsError::Address { address: address.to_string(), reason: words(&error) })?;
        Ok(Self { docker, address, is_negotiated: Arc::default(), facts: Arc::default() })
    }

    /// What is known of it; asks it once.
    pub(crate) async fn facts(&self) -> Result<&Facts, Error> {
        self.facts
            .get_or_try_init(|| async {
                self.negotiate().await?;
                let info = self.docker.info().await?;
                let has_local = |logs: &Vec<String>| logs.iter().any(|driver| driver == "local");
                let millicores = info.ncpu.and_then(|count| u32::try_from(count * 1_000).ok());
                Ok(Facts {
                    id: info.id.unwrap_or_default(),
                    data_root: info.docker_root_dir.unwrap_or_default().into(),
                    cpu: millicores.map(CpuQuantity::from_millicores),
                    has_local_logs: info
                        .plugins
                        .and_then(|plugins| plugins.log)
                        .as_ref()
                        .is_some_and(has_local),
                })
            })
            .await
    }

    /// Where it keeps its images, when that is on this host.
    pub(crate) async fn data_root(&self) -> Option<PathBuf> {
        let root = &self.facts().await.ok()?.data_root;
        // A socket may come from another host, and then the folder is not here.
        (matches!(self.address, Address::Unix(_)) && root.is_dir()).then(|| root.clone())
    }

    /// Names it among all platforms, once it was reached. One that has no id cannot be told from others.
    pub(crate) fn scope(&self) -> Option<String> {
        let id = &self.facts.get()?.id;
        (!id.is_empty()).then(|| format!("docker:{id}"))
    }

    /// Agrees on a version of the API, once; all clones of the client follow it.
    pub(crate) async fn negotiate(&self) -> Result<(), Error> {
        let agree = || async { self.docker.clone().negotiate_version().await.map(drop) };
        self.is_negotiated.get_or_try_init(agree).await.map(drop)
    }

    /// Whether it answers now; in words if not.
    pub(crate) async fn check(&self) -> Result<(), String> {
        let cannot =
            |reason: &str| format!("the Docker engine at {} cannot be reached: {reason}", self.address);
        let asked = async {
            if self.is_negotiated.initialized() {
                self.docker.ping().await.map(drop)
            } else {
                self.negotiate().await
            }
        };
        match tokio::time::timeout(PING, asked).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(cannot(&words(&error))),
            Err(_) => Err(cannot(&format!("no answer within {} s", PING.as_secs()))),
        }
    }

    /// The outcome of a call that did not do what it should.
    pub(crate) fn failed(&self, what: &str, error: &Error) -> Outcome {
        let message = format!("{what}: {}", words(error));
        match status(error) {
            Some(400) => Outcome::InvalidInput { message },
            _ => Outcome::RunnerError { message },
        }
    }
}

/// How requests go through a client.
fn through<C, B>(
    client: Client<C, B>,
) -> impl Fn(Request<B>) -> BoxFuture<'static, Result<Response<Incoming>, Error>> + Send + Sync + 'static
where
    C: Connect + Clone + Send + Sync + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
{
    move |request| client.request(request).map_err(Error::from).boxed()
}

/// The engine's own words, or what happened on the way to it.
pub(crate) fn words(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Error::DockerStreamError { error } => error.trim().to_owned(),
        Error::RequestTimeoutError => "it does not answer".to_owned(),
        other => {
            let mut text = other.to_string();
            let mut source = other.source();
            while let Some(inner) = source {
                let inner_text = inner.to_string();
                if !text.contains(&inner_text) {
                    text = format!("{text}: {inner_text}");
                }
                source = inner.source();
            }
            text.trim_start_matches("Error in the hyper legacy client: ").to_owned()
        }
    }
}

/// The status of an answer that says no.
pub(crate) const fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}
