//! A connection to a cluster: what is asked of it, counted, and whether it may be asked.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{AsyncBufRead, future};
use http::Request;
use jiff::Timestamp;
use k8s_openapi::{
    ByteString,
    api::{
        authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
        core::v1::{Event, Pod, Secret},
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::{
    Api, Client, Config,
    api::{DeleteParams, ListParams, PostParams},
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig},
};
use sha2::{Digest, Sha256};
use stroem_runner::Unavailable;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    KubernetesOptions,
    requests::{Count, Requests},
    watch::Watches,
};

/// What the runner does in its namespace: verb, resource, sub-resource.
const NEEDED: &[(&str, &str, &str)] = &[
    ("create", "pods", ""),
    ("list", "pods", ""),
    ("watch", "pods", ""),
    ("delete", "pods", ""),
    ("get", "pods", "log"),
    ("create", "secrets", ""),
    ("delete", "secrets", ""),
    ("list", "events", ""),
    ("watch", "events", ""),
];
/// A silent stream is opened again after this: the connection may be dead.
const SILENCE: Duration = Duration::from_secs(300);
/// How long an answer to a small question may take.
const ANSWER: Duration = Duration::from_secs(10);
/// How often a removal is tried.
const REMOVALS: u32 = 8;

/// A cluster and the namespace in it.
pub(crate) struct Cluster {
    client: Client,
    pub(crate) namespace: String,
    /// Names the cluster and the namespace among all.
    pub(crate) scope: String,
    pub(crate) pods: Api<Pod>,
    secrets: Api<Secret>,
    pub(crate) watches: Watches,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl Cluster {
    /// Reads the credentials. Nothing is asked of the cluster yet.
    pub(crate) async fn connect(
        options: &KubernetesOptions,
        requests: &Requests,
    ) -> Result<Self, Unavailable> {
        let mut config = config(options).await?;
        config.read_timeout = Some(SILENCE);
        let scope = scope(&config, &options.namespace);
        let builder = ClientBuilder::try_from(config)
            .map_err(|error| Unavailable(format!("the cluster's credentials cannot be used: {error}")))?;
        let client = builder.with_layer(&Count(requests.clone())).build();
        let namespace = options.namespace.as_str();
        let pods = Api::namespaced(client.clone(), namespace);
        let secrets = Api::namespaced(client.clone(), namespace);
        Ok(Self {
            client,
            namespace: namespace.to_owned(),
            scope,
            pods,
            secrets,
            watches: Watches::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        })
    }

    /// Begins to watch the namespace, once.
    pub(crate) fn watch(&self) {
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        self.watches.start(self.pods.clone(), events, &self.tasks, &self.stop);
    }

    /// Asks whether everything that the runner does is allowed.
    pub(crate) async fn check_permissions(&self) -> Result<(), Unavailable> {
        let asked = NEEDED.iter().map(|needed| self.may(*needed));
        let answers = tokio::time::timeout(ANSWER, future::try_join_all(asked)).await;
        let silent = || Unavailable(format!("the cluster did not answer within {} s", ANSWER.as_secs()));
        let answers = answers.map_err(|_| silent())?.map_err(|error| unreachable(&error))?;
        let missing = NEEDED.iter().zip(answers).filter(|(_, allowed)| !allowed);
        let missing: Vec<String> = missing
            .map(|((verb, resource, sub), _)| {
                let slash = if sub.is_empty() { "" } else { "/" };
                format!("{verb} {resource}{slash}{sub}")
            })
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let text =
            format!("the worker's account may not {} in namespace {}", missing.join(", "), self.namespace);
        Err(Unavailable(text))
    }

    /// Whether pods may be created, apart from quotas and the like.
    pub(crate) async fn may_create_pods(&self) -> bool {
        matches!(self.may(NEEDED[0]).await, Ok(true))
    }

    async fn may(&self, (verb, resource, sub): (&str, &str, &str)) -> kube::Result<bool> {
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    namespace: Some(self.namespace.clone()),
                    verb: Some(verb.to_owned()),
                    resource: Some(resource.to_owned()),
                    subresource: (!sub.is_empty()).then(|| sub.to_owned()),
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let answer = Api::all(self.client.clone()).create(&PostParams::default(), &review).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }

    /// Creates the Secret of a pod, which goes when the pod goes.
    pub(crate) async fn create_secret(
        &self,
        pod: &Pod,
        texts: &BTreeMap<String, String>,
    ) -> kube::Result<()> {
        let meta = &pod.metadata;
        let owner = OwnerReference {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
            ..OwnerReference::default()
        };
        let bytes = |(key, text): (&String, &String)| (key.clone(), ByteString(text.clone().into_bytes()));
        let secret = Secret {
            metadata: ObjectMeta {
                name: meta.name.clone(),
                labels: meta.labels.clone(),
                owner_references: Some(vec![owner]),
                ..ObjectMeta::default()
            },
            data: Some(texts.iter().map(bytes).collect()),
            immutable: Some(true),
            ..Secret::default()
        };
        match self.secrets.create(&PostParams::default(), &secret).await {
            // The reply to an earlier try was lost.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            created => created.map(drop),
        }
    }

    /// The pod of this name, by a list: reading single pods needs a permission of its own.
    pub(crate) async fn find(&self, name: &str) -> kube::Result<Option<Pod>> {
        let found = self.pods.list(&ListParams::default().fields(&format!("metadata.name={name}"))).await?;
        Ok(found.items.into_iter().next())
    }

    /// Tells a pod to end: TERM, and after its grace KILL.
    pub(crate) async fn terminate(&self, name: &str, grace_secs: u32) -> kube::Result<()> {
        ignore_missing(
            self.pods.delete(name, &DeleteParams::default().grace_period(grace_secs)).await.map(drop),
        )
    }

    /// Removes a pod and its Secret at once, trying for a while.
    pub(crate) async fn remove(&self, name: &str, has_secret: bool) {
        let now = DeleteParams::default().grace_period(0);
        let mut pause = Duration::from_millis(100);
        for turn in 1..=REMOVALS {
            let pod = async { ignore_missing(self.pods.delete(name, &now).await.map(drop)) };
            let secret = async {
                if !has_secret {
                    return Ok(());
                }
                ignore_missing(self.secrets.delete(name, &DeleteParams::default()).await.map(drop))
            };
            match tokio::join!(pod, secret) {
                (Ok(()), Ok(())) => return,
                (pod, secret) if turn == REMOVALS => {
                    let error = pod.err().or(secret.err()).map(|error| error.to_string());
                    tracing::error!(
                        pod = name,
                        error,
                        "a pod cannot be removed; it ends by its own deadline"
                    );
                }
                _ => tokio::time::sleep(pause).await,
            }
            pause *= 2;
        }
    }

    /// The log of a container from a time on, each entry with its time.
    pub(crate) async fn log(
        &self,
        name: &str,
        container: &str,
        since: Option<Timestamp>,
    ) -> kube::Result<impl AsyncBufRead + use<>> {
        let mut path = format!(
            "/api/v1/namespaces/{}/pods/{name}/log?container={container}&follow=true&timestamps=true",
            self.namespace
        );
        if let Some(since) = since {
            path.push_str(&format!("&sinceTime={since}"));
        }
        let request = Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
        self.client.request_stream(request).await
    }

    /// The end of a container's log.
    pub(crate) async fn tail(&self, name: &str, container: &str, lines: u32) -> kube::Result<String> {
        let path = format!(
            "/api/v1/namespaces/{}/pods/{name}/log?container={container}&tailLines={lines}&limitBytes=4096",
            self.namespace
        );
        let request = Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
        self.client.request_text(request).await
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The same for whoever reaches a cluster by the same address. The authority tells clusters apart whose address is the
/// same from within, and the address those that a proxy with one authority stands before.
fn scope(config: &Config, namespace: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(config.cluster_url.to_string());
    for certificate in config.root_cert.iter().flatten() {
        hash.update(certificate);
    }
    format!("kubernetes:{}:{namespace}", hex::encode(&hash.finalize()[..12]))
}

async fn config(options: &KubernetesOptions) -> Result<Config, Unavailable> {
    let choice = KubeConfigOptions { context: options.context.clone(), ..KubeConfigOptions::default() };
    let unusable = |error: &dyn std::fmt::Display| {
        Unavailable(format!("there are no credentials for a cluster: {error}"))
    };
    if let Some(path) = &options.kubeconfig {
        let written = Kubeconfig::read_from(path).map_err(|error| unusable(&error))?;
        return Config::from_custom_kubeconfig(written, &choice).await.map_err(|error| unusable(&error));
    }
    if options.context.is_some() {
        return Config::from_kubeconfig(&choice).await.map_err(|error| unusable(&error));
    }
    Config::infer().await.map_err(|error| unusable(&error))
}

fn unreachable(error: &kube::Error) -> Unavailable {
    Unavailable(format!("the cluster cannot be reached: {error}"))
}

fn ignore_missing(result: kube::Result<()>) -> kube::Result<()> {
    match result {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        result => result,
    }
}
