//! Taking over a container that another process began, and finding those that nobody runs.

use bollard::{errors::Error, models::ContainerStateStatusEnum};
use stroem_core::{AttemptKey, AttemptNumber, ByteSize, Fence, LeaseKey, Outcome};
use stroem_runner::{RunnerEvent, StopReceiver};
use tokio::sync::watch;

use crate::{
    attempt::{AGAIN, Attempt, TRIES, or_stopped},
    engine::status,
};

/// What is known of a container that is taken over.
struct Found {
    state: Option<ContainerStateStatusEnum>,
    memory: Option<ByteSize>,
}

impl Attempt<'_> {
    /// From wherever the container is to its outcome; it is left for whoever removes it.
    pub(crate) async fn adopt(&self, stop: &mut StopReceiver) -> Result<Outcome, Outcome> {
        let found = self.find(stop).await?;
        self.send(RunnerEvent::Prepared).await;
        if found.state == Some(ContainerStateStatusEnum::CREATED)
            // Everything was in place when its worker told of it. That somebody starts it meanwhile is as good.
            && let Err(error) = self.engine.docker.start_container(&self.name, None).await
            && status(&error) != Some(304)
        {
            return Err(self.engine.failed("the container cannot be started", &error));
        }
        self.send(RunnerEvent::Started { pid: None }).await;
        if matches!(found.state, Some(ContainerStateStatusEnum::EXITED | ContainerStateStatusEnum::DEAD)) {
            // It had ended before any stop arrived, and keeps its outcome.
            return self.follow(found.memory, &mut watch::channel(None).1).await;
        }
        self.follow(found.memory, stop).await
    }

    async fn find(&self, stop: &mut StopReceiver) -> Result<Found, Outcome> {
        let mut tries = 0;
        loop {
            match self.inspect().await {
                Ok(found) => return Ok(found),
                // It was removed in the gap, so how it ended is not known.
                Err(error) if status(&error) == Some(404) => return Err(Outcome::WorkerLost),
                Err(error) if tries >= TRIES => {
                    return Err(self.engine.failed("the container cannot be looked at", &error));
                }
                Err(_) => tries += 1,
            }
            or_stopped(stop, tokio::time::sleep(AGAIN)).await?;
        }
    }

    async fn inspect(&self) -> Result<Found, Error> {
        self.engine.negotiate().await?;
        let container = self.engine.docker.inspect_container(&self.name, None).await?;
        let state = container.state.and_then(|state| state.status);
        let memory = container.host_config.and_then(|host| host.memory).filter(|bytes| *bytes > 0);
        Ok(Found { state, memory: memory.and_then(|bytes| u64::try_from(bytes).ok()).map(ByteSize) })
    }
}

/// The lease under which a container was made, from the texts of its labels.
pub(crate) fn lease(attempt: &str, fence: &str) -> Option<LeaseKey> {
    let mut parts = attempt.rsplitn(3, '-');
    let number = AttemptNumber(parts.next()?.parse().ok()?);
    let step = parts.next()?.parse().ok()?;
    let job = parts.next()?.parse().ok()?;
    let fence = Fence(fence.parse().ok()?);
    Some(LeaseKey { attempt: AttemptKey { job, step, attempt: number }, fence })
}

#[cfg(test)]
mod tests {
    use stroem_core::JobId;

    use super::*;
    use crate::labels;

    #[test]
    fn the_labels_of_a_container_name_its_lease() {
        let attempt = AttemptKey { job: JobId::from_bytes([0x71; 16]), step: 3, attempt: AttemptNumber(2) };
        let key = LeaseKey { attempt, fence: Fence(99) };
        assert_eq!(lease(&labels::attempt(attempt), &key.fence.to_string()), Some(key));
        for (attempt, fence) in [("", "1"), ("x-1-1", "1"), (labels::attempt(attempt).as_str(), "")] {
            assert_eq!(lease(attempt, fence), None, "{attempt} {fence}");
        }
    }
}
