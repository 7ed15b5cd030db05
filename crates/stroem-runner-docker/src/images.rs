//! Images: looked up, and pulled once for however many steps wait for the same one.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bollard::{
    Docker,
    models::ImageConfig,
    query_parameters::{CreateImageOptions, RemoveImageOptions},
};
use futures_util::{
    FutureExt, StreamExt,
    future::{BoxFuture, Shared, WeakShared},
};
use stroem_core::Outcome;
use stroem_runner::{EventSender, RunnerEvent};
use tokio::{sync::watch, time::timeout};

use crate::{
    DockerRunnerOptions, PullPolicy, credentials,
    engine::{Engine, status, words},
    kept::{Held, Kept},
    reference::Reference,
};

/// How often a step's log says how far its pull is.
const PROGRESS: Duration = Duration::from_secs(2);

/// What came of a pull; the error is the engine's own words.
type Pulled = Result<(), Arc<str>>;

/// The images of an engine.
#[derive(Debug, Clone)]
pub(crate) struct Images {
    engine: Engine,
    timeout: Duration,
    registry_config: Option<PathBuf>,
    kept: Arc<Kept>,
    pulls: Arc<Mutex<HashMap<String, Pull>>>,
}

/// A pull that somebody waits for.
#[derive(Debug, Clone)]
struct Pull {
    result: WeakShared<BoxFuture<'static, Pulled>>,
    progress: watch::Receiver<String>,
}

impl Images {
    pub(crate) fn new(engine: &Engine, options: &DockerRunnerOptions) -> Self {
        Self {
            engine: engine.clone(),
            timeout: options.pull_timeout,
            registry_config: options.registry_config.clone(),
            kept: Arc::new(Kept::open(options.images_file.clone())),
            pulls: Arc::default(),
        }
    }

    /// Keeps an image from being removed; once a container has it, the engine does.
    pub(crate) fn hold(&self, image: &str) -> Held {
        self.kept.hold(image)
    }

    /// Removes the image whose last use is the longest ago, of those that this worker pulled and nobody uses. Whether
    /// there was one.
    pub(crate) async fn collect_one(&self) -> bool {
        for image in self.kept.unused() {
            match self.engine.docker.remove_image(&image, None::<RemoveImageOptions>, None).await {
                Ok(_) => {
                    tracing::info!(image, "removed an image that was not used for the longest time");
                    self.kept.removed(&image);
                    return true;
                }
                Err(error) if status(&error) == Some(404) => self.kept.removed(&image),
                // A container has it.
                Err(error) if status(&error) == Some(409) => {}
                Err(error) => {
                    tracing::warn!(image, error = words(&error), "an image cannot be removed");
                    return false;
                }
            }
        }
        false
    }

    /// Makes sure that the engine has the image; what the image says of itself.
    pub(crate) async fn provide(
        &self,
        image: &str,
        policy: PullPolicy,
        events: &EventSender,
    ) -> Result<ImageConfig, Outcome> {
        let here = self.look_up(image).await?;
        let was_there = here.is_some();
        if let Some(config) = here.filter(|_| policy != PullPolicy::Always) {
            return Ok(config);
        }
        if policy == PullPolicy::Never {
            let message = format!(
                "{image} is not on the engine, and neither step nor worker wants it pulled (`pull: never`)"
            );
            return Err(Outcome::ImagePull { message });
        }
        self.pull(image, events)
            .await
            .map_err(|message| Outcome::ImagePull { message: message.to_string() })?;
        if !was_there {
            self.kept.pulled(image);
        }
        let gone = || Outcome::ImagePull { message: format!("{image} was pulled and is gone again") };
        self.look_up(image).await?.ok_or_else(gone)
    }

    async fn look_up(&self, image: &str) -> Result<Option<ImageConfig>, Outcome> {
        match self.engine.docker.inspect_image(image).await {
            Ok(found) => Ok(Some(found.config.unwrap_or_default())),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(self.engine.failed(&format!("the image {image} cannot be looked up"), &error)),
        }
    }

    /// Pulls, or waits for who pulls already, and says how far it is.
    async fn pull(&self, image: &str, events: &EventSender) -> Pulled {
        note(events, format!("pulling image {image}")).await;
        let (mut result, mut progress) = self.join(image);
        let mut pause = tokio::time::interval(PROGRESS);
        pause.reset();
        let mut told = String::new();
        let result = loop {
            tokio::select! {
                result = &mut result => break result,
                _ = pause.tick() => {
                    let now = progress.borrow_and_update().clone();
                    if !now.is_empty() && now != told {
                        note(events, format!("pulling image {image}: {now}")).await;
                        told = now;
                    }
                }
            }
        };
        if result.is_ok() {
            note(events, format!("pulled image {image}")).await;
        }
        result
    }

    fn join(&self, image: &str) -> (Shared<BoxFuture<'static, Pulled>>, watch::Receiver<String>) {
        let mut pulls = self.pulls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pull) = pulls.get(image)
            && let Some(result) = pull.result.upgrade()
            && result.peek().is_none()
        {
            return (result, pull.progress.clone());
        }
        let (sender, progress) = watch::channel(String::new());
        let (docker, limit) = (self.engine.docker.clone(), self.timeout);
        let (image, config) = (image.to_owned(), self.registry_config.clone());
        let name = image.clone();
        let work = async move {
            let pulled = timeout(limit, pull(&docker, &image, config, &sender)).await;
            pulled.unwrap_or_else(|_| {
                Err(format!("{image} was not pulled within {} s", limit.as_secs()).into())
            })
        };
        let result = work.boxed().shared();
        if let Some(weak) = result.downgrade() {
            pulls.retain(|_, pull| pull.result.upgrade().is_some_and(|result| result.peek().is_none()));
            pulls.insert(name, Pull { result: weak, progress: progress.clone() });
        }
        (result, progress)
    }
}

async fn pull(
    docker: &Docker,
    image: &str,
    config: Option<PathBuf>,
    progress: &watch::Sender<String>,
) -> Pulled {
    let reference = Reference::parse(image);
    let credentials = match config {
        None => None,
        Some(file) => credentials::of(reference.registry(), &file).await.map_err(Arc::<str>::from)?,
    };
    let options = CreateImageOptions {
        from_image: Some(reference.name.to_owned()),
        tag: Some(reference.version.to_owned()),
        ..CreateImageOptions::default()
    };
    // The pull as a whole has a time-out; until its first word the engine may take as long.
    let docker = docker.clone().with_timeout(Duration::from_secs(24 * 3_600));
    let mut parts = docker.create_image(Some(options), None, credentials);
    let mut layers: HashMap<String, bool> = HashMap::new();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|error| Arc::<str>::from(words(&error)))?;
        let (Some(layer), Some(state)) = (part.id, part.status) else { continue };
        let done = matches!(state.as_str(), "Pull complete" | "Already exists");
        // The first line names the tag, not a layer.
        if done || part.progress_detail.is_some() || layers.contains_key(&layer) {
            layers.insert(layer, done);
        }
        let complete = layers.values().filter(|done| **done).count();
        progress.send_replace(format!("{complete} of {} layers", layers.len()));
    }
    Ok(())
}

async fn note(events: &EventSender, text: String) {
    // When nobody listens any more nobody needs to know.
    let _ = events.send(RunnerEvent::Note(text)).await;
}
