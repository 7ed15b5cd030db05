//! One watch of pods and one of their events for the whole namespace, shared by all attempts. Each attempt has a view of
//! its own pod.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::{
    Api,
    runtime::{WatchStreamExt, watcher},
};
use stroem_core::LeaseKey;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    names::{self, MANAGED_BY},
    status::{self, State},
};

/// Events that are kept of one pod.
const EVENTS: usize = 20;

/// What is known of a pod.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    /// As it was last seen.
    pub(crate) pod: Option<Arc<Pod>>,
    /// It was there and is no more.
    pub(crate) is_gone: bool,
    /// Its events, the newest last.
    pub(crate) events: Vec<PodEvent>,
}

/// Something that the cluster says of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PodEvent {
    pub(crate) is_warning: bool,
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl View {
    /// A pod that was lost stays so: a kubelet that has not noticed yet may write that it runs.
    fn take(&mut self, pod: Pod) {
        let is_lost = |pod: &Pod| matches!(status::state(pod), State::Lost(_));
        if !self.pod.as_deref().is_some_and(is_lost) {
            self.pod = Some(Arc::new(pod));
        }
    }

    /// The newest events of a kind, for an outcome's evidence.
    pub(crate) fn evidence(&self) -> String {
        let warnings: Vec<String> = self
            .events
            .iter()
            .filter(|event| event.is_warning)
            .map(|event| format!("{}: {}", event.reason, event.message))
            .collect();
        warnings[warnings.len().saturating_sub(5)..].join("; ")
    }
}

/// The watches of a namespace and the views that they feed. Ends with its last owner.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watches {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    entries: Mutex<HashMap<String, Entry>>,
    /// Every pod of ours in the namespace, whoever runs it, by name.
    pods: Mutex<BTreeMap<String, LeaseKey>>,
    is_started: AtomicBool,
    /// The last thing that the pod watch had was no error.
    is_healthy: AtomicBool,
}

#[derive(Debug)]
struct Entry {
    view: watch::Sender<View>,
    /// The pod exists: a list that began later and lacks it says that it is gone.
    is_created: bool,
    /// A list began since.
    is_listed: bool,
}

/// A pod that is watched until this is dropped.
#[derive(Debug)]
pub(crate) struct Watched {
    watches: Watches,
    name: String,
    pub(crate) view: watch::Receiver<View>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watches.entries().remove(&self.name);
    }
}

impl Watched {
    /// The pod was found: it exists, and this is how it is.
    pub(crate) fn found(&self, pod: Pod) {
        self.created();
        if let Some(entry) = self.watches.entries().get(&self.name) {
            entry.view.send_if_modified(|view| {
                let is_news = view.pod.is_none();
                if is_news {
                    view.take(pod);
                }
                is_news
            });
        }
    }

    /// The pod exists now.
    pub(crate) fn created(&self) {
        if let Some(entry) = self.watches.entries().get_mut(&self.name) {
            entry.is_created = true;
        }
    }
}

impl Watches {
    /// Begins to watch, once.
    pub(crate) fn start(
        &self,
        pods: Api<Pod>,
        events: Api<Event>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) {
        if self.shared.is_started.swap(true, Ordering::Relaxed) {
            return;
        }
        let labels = format!("{}={}", MANAGED_BY.0, MANAGED_BY.1);
        // Never from a cache: a pod that a list lacks counts as gone.
        let pods = watcher(pods, watcher::Config::default().labels(&labels)).default_backoff();
        let events =
            watcher(events, watcher::Config::default().fields("involvedObject.kind=Pod").any_semantic())
                .default_backoff();
        let (pod_watch, event_watch) = (self.clone(), self.clone());
        tasks.spawn(stop.clone().run_until_cancelled_owned(async move { pod_watch.take_pods(pods).await }));
        tasks.spawn(
            stop.clone().run_until_cancelled_owned(async move { event_watch.take_events(events).await }),
        );
    }

    /// Whether pods are seen now, as far as is known.
    pub(crate) fn is_healthy(&self) -> bool {
        self.shared.is_healthy.load(Ordering::Relaxed)
    }

    /// A view of a pod that will be created.
    pub(crate) fn watch(&self, name: &str) -> Watched {
        let (sender, view) = watch::channel(View::default());
        let entry = Entry { view: sender, is_created: false, is_listed: false };
        self.entries().insert(name.to_owned(), entry);
        Watched { watches: self.clone(), name: name.to_owned(), view }
    }

    /// Pods of ours that no attempt here watches.
    pub(crate) fn strangers(&self) -> Vec<LeaseKey> {
        let entries = self.entries();
        let pods = self.pods();
        pods.iter().filter(|(name, _)| !entries.contains_key(*name)).map(|(_, lease)| *lease).collect()
    }

    fn pods(&self) -> MutexGuard<'_, BTreeMap<String, LeaseKey>> {
        self.shared.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.shared.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take_pods(&self, stream: impl Stream<Item = watcher::Result<watcher::Event<Pod>>>) {
        futures_util::pin_mut!(stream);
        let mut listed: HashSet<String> = HashSet::new();
        while let Some(event) = stream.next().await {
            self.shared.is_healthy.store(event.is_ok(), Ordering::Relaxed);
            match event {
                Ok(watcher::Event::Apply(pod)) => self.seen(pod),
                Ok(watcher::Event::Delete(pod)) => self.gone(pod),
                Ok(watcher::Event::Init) => {
                    listed.clear();
                    self.entries().values_mut().for_each(|entry| entry.is_listed = entry.is_created);
                }
                Ok(watcher::Event::InitApply(pod)) => {
                    listed.extend(pod.metadata.name.clone());
                    self.seen(pod);
                }
                Ok(watcher::Event::InitDone) => {
                    self.pods().retain(|name, _| listed.contains(name));
                    for (name, entry) in self.entries().iter() {
                        if entry.is_listed && !listed.contains(name) {
                            entry.view.send_modify(|view| view.is_gone = true);
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "pods cannot be watched now; trying again"),
            }
        }
    }

    fn seen(&self, pod: Pod) {
        let lease = pod.metadata.labels.as_ref().and_then(names::lease);
        if let (Some(name), Some(lease)) = (pod.metadata.name.clone(), lease) {
            self.pods().insert(name, lease);
        }
        let entries = self.entries();
        let entry = pod.metadata.name.as_deref().and_then(|name| entries.get(name));
        if let Some(entry) = entry {
            entry.view.send_modify(|view| view.take(pod));
        }
    }

    fn gone(&self, pod: Pod) {
        if let Some(name) = &pod.metadata.name {
            self.pods().remove(name);
        }
        let entries = self.entries();
        let entry = pod.metadata.name.as_deref().and_then(|name| entries.get(name));
        if let Some(entry) = entry {
            entry.view.send_modify(|view| {
                view.take(pod);
                view.is_gone = true;
            });
        }
    }

    async fn take_events(&self, stream: impl Stream<Item = watcher::Result<watcher::Event<Event>>>) {
        futures_util::pin_mut!(stream);
        while let Some(event) = stream.next().await {
            match event {
                Ok(watcher::Event::Apply(event) | watcher::Event::InitApply(event)) => self.said(event),
                Ok(watcher::Event::Init | watcher::Event::InitDone | watcher::Event::Delete(_)) => {}
                Err(error) => tracing::warn!(%error, "events of pods cannot be watched now; trying again"),
            }
        }
    }

    fn said(&self, event: Event) {
        let entries = self.entries();
        let Some(entry) = event.involved_object.name.as_deref().and_then(|name| entries.get(name)) else {
            return;
        };
        let event = PodEvent {
            is_warning: event.type_.as_deref() == Some("Warning"),
            reason: event.reason.unwrap_or_default(),
            message: event.message.unwrap_or_default(),
        };
        entry.view.send_if_modified(|view| {
            if view.events.contains(&event) {
                return false;
            }
            if view.events.len() == EVENTS {
                view.events.remove(0);
            }
            view.events.push(event.clone());
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_lost_pod_stays_lost_whatever_its_kubelet_writes() {
        let pod = |phase: &str, reason: Option<&str>| {
            let status = json!({"phase": phase, "reason": reason});
            serde_json::from_value::<Pod>(json!({"metadata": {}, "status": status})).expect("a pod")
        };
        let mut view = View::default();
        for (phase, reason) in [("Running", None), ("Failed", Some("Evicted")), ("Running", None)] {
            view.take(pod(phase, reason));
        }
        assert!(matches!(status::state(&view.pod.expect("a pod")), State::Lost(_)));
    }
}
