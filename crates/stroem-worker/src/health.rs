//! Which of the configured tags can be served now. A runner that cannot be reached takes its tag back, with a reason
//! that everybody can see, and is asked again; the worker goes on with the others.

use std::sync::{Arc, PoisonError};

use stroem_core::RunnerKind;

use crate::{
    cache::Cache,
    disk::{Disks, Full},
    options::Options,
    session::Offer,
    shared::Shared,
};

/// Runs until the worker leaves.
pub(crate) async fn serve(shared: Arc<Shared>, mut known: Offer) {
    loop {
        tokio::select! {
            () = shared.leaving.cancelled() => return,
            () = tokio::time::sleep(shared.options.health_interval) => {}
        }
        let now = offer(&shared.options, &shared.cache).await;
        let scopes = scopes(&shared.options).await;
        if std::mem::replace(
            &mut *shared.scopes.lock().unwrap_or_else(PoisonError::into_inner),
            scopes.clone(),
        ) != scopes
        {
            shared.leases.wake_poll();
        }
        if now != known {
            tell(&now);
            known = now.clone();
            shared.session.offer(now).await;
        }
    }
}

/// Asks every runner whose tag is configured, and looks after the disks.
pub(crate) async fn offer(options: &Options, cache: &Cache) -> Offer {
    let mut withdrawn = Vec::new();
    let full = Disks::new(options, cache).look_after().await;
    for kind in [RunnerKind::Local, RunnerKind::Docker, RunnerKind::Pod] {
        if !options.tags.contains(kind.required_tag()) {
            continue;
        }
        let reason = match options.runner(kind) {
            Some(runner) => {
                let health = runner.health().await.err().map(|unavailable| unavailable.to_string());
                let concerns = |full: &&Full| full.runner.is_none_or(|of| of == kind);
                health.or_else(|| full.iter().find(concerns).map(|full| full.reason.clone()))
            }
            None => Some(missing(options, kind)),
        };
        withdrawn.extend(reason.map(|reason| (kind.required_tag().to_owned(), reason)));
    }
    let serves = |tag: &str| !withdrawn.iter().any(|(known, _)| known == tag);
    let tags = options.tags.iter().filter(|tag| serves(tag.as_str())).cloned().collect();
    Offer { tags, withdrawn }
}

/// Platforms whose running attempts can be taken over now.
pub(crate) async fn scopes(options: &Options) -> Vec<String> {
    let mut scopes = Vec::new();
    for runner in options.runners.iter().filter(|_| options.hands_over) {
        scopes.extend(runner.scope().await);
    }
    scopes
}

/// Says which tags are not offered.
pub(crate) fn tell(offer: &Offer) {
    for (tag, reason) in &offer.withdrawn {
        tracing::warn!(tag, reason, "a tag is not offered now");
    }
}

fn missing(options: &Options, kind: RunnerKind) -> String {
    let known = options.missing.iter().find(|(known, _)| *known == kind);
    known.map_or_else(|| format!("this worker has no {} runner", kind.as_str()), |(_, reason)| reason.clone())
}
