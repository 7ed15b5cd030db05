//! Taking over a pod that another process created, whether it waits, runs or has ended.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::core::v1::Pod;
use stroem_core::{Fence, Outcome, Runtime};
use stroem_runner::{EventSender, RunRequest, StopReceiver};
use tokio::time::sleep;

use crate::{
    KubernetesOptions,
    attempt::{AGAIN, Attempt, Begin, pass, stopped},
    blueprint::Blueprint,
    cluster::Cluster,
    status::{self, State},
};

/// Tries before a pod that cannot be looked for is given up.
const TRIES: u32 = 60;

/// What an adopter is told of a pod: its name, the mark of its wrapper, and the fence that it was made under.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Handle {
    pod: String,
    nonce: Option<String>,
    fence: Fence,
}

impl Handle {
    fn text(&self) -> String {
        format!("{}/{}/{}", self.pod, self.nonce.as_deref().unwrap_or_default(), self.fence)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let (pod, nonce, fence) = (parts.next()?, parts.next()?, parts.next()?);
        let nonce = (!nonce.is_empty()).then(|| nonce.to_owned());
        let fence = Fence(fence.parse().ok()?);
        (parts.next().is_none() && !pod.is_empty()).then(|| Self { pod: pod.to_owned(), nonce, fence })
    }
}

/// Takes a pod from where it is to its end.
pub(crate) async fn run(
    platform: (&Arc<Cluster>, &KubernetesOptions),
    runtime: &Runtime,
    mut request: RunRequest,
    listener: (&EventSender, StopReceiver),
) -> Outcome {
    let Some(handle) = Handle::parse(&runtime.handle) else {
        return Outcome::RunnerError { message: format!("`{}` names no pod", runtime.handle) };
    };
    // Whatever the lease is now: the pod, its name and its labels are those of its first one.
    request.lease.fence = handle.fence;
    let nonce = handle.nonce.clone().unwrap_or_default();
    let blueprint = match Blueprint::new(&request, platform.1, &nonce) {
        Ok(blueprint) if blueprint.name == handle.pod => blueprint,
        // This worker would not make such a pod, but it is there. Its Secret goes with it.
        _ => Blueprint {
            name: handle.pod,
            pod: Pod::default(),
            secret: BTreeMap::new(),
            nonce: handle.nonce,
            resources: request.spec.resources,
        },
    };
    let begin = Begin::Adopted { place: runtime.mark.as_ref().map(|mark| mark.place.clone()) };
    pass(platform, &request, &blueprint, listener, begin).await
}

impl Attempt<'_> {
    /// What an adopter needs.
    pub(crate) fn handle(&self) -> String {
        let (pod, nonce) = (self.blueprint.name.clone(), self.blueprint.nonce.clone());
        Handle { pod, nonce, fence: self.request.lease.fence }.text()
    }

    /// Finds the pod, brings its Secret if it may be missing, and waits until its container began.
    pub(crate) async fn take_over(&mut self) -> Result<(), Outcome> {
        // It was removed in the gap, so how it ended is not known.
        let pod = self.find().await?.ok_or(Outcome::WorkerLost)?;
        let is_pending = matches!(status::state(&pod), State::Pending(_));
        self.watched.found(pod.clone());
        let mut budget = Box::pin(sleep(self.options.pending_timeout));
        if is_pending && !self.blueprint.secret.is_empty() {
            self.create(&mut budget, true, Some(&pod)).await?;
        }
        self.until_begun(budget).await
    }

    async fn find(&mut self) -> Result<Option<Pod>, Outcome> {
        let mut tries = 0;
        loop {
            match self.cluster.find(&self.blueprint.name).await {
                Ok(found) => return Ok(found),
                Err(error) if tries >= TRIES => {
                    let message = format!("the cluster cannot be reached: {error}");
                    return Err(Outcome::RunnerError { message });
                }
                Err(_) => tries += 1,
            }
            tokio::select! {
                reason = stopped(&mut self.stop) => return Err(reason.outcome()),
                () = sleep(AGAIN) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_read_as_it_was_written() {
        for nonce in [None, Some("0123".to_owned())] {
            let handle = Handle { pod: "stroem-a-1".to_owned(), nonce, fence: Fence(7) };
            assert_eq!(Handle::parse(&handle.text()), Some(handle));
        }
        for odd in ["", "a", "a/b", "a/b/c", "a/b/1/2", "/b/1"] {
            assert_eq!(Handle::parse(odd), None, "{odd}");
        }
    }
}
