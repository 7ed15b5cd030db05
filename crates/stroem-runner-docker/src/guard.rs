//! Removes a container when its attempt is over, also when the attempt is dropped before that.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use bollard::{Docker, errors::Error, query_parameters::RemoveContainerOptions};
use tokio_util::task::TaskTracker;

use crate::engine::{status, words};

/// How often a removal is tried.
const TRIES: u32 = 5;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

/// The containers that this process runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Running(Arc<Mutex<HashSet<String>>>);

impl Running {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }
}

/// Holds a container's name while its attempt runs.
#[derive(Debug)]
pub(crate) struct Guard {
    docker: Docker,
    name: String,
    running: Running,
    tasks: TaskTracker,
    /// Or left to somebody else.
    is_removed: bool,
}

impl Guard {
    pub(crate) fn new(docker: &Docker, name: String, running: &Running, tasks: &TaskTracker) -> Self {
        running.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        Self {
            docker: docker.clone(),
            name,
            running: running.clone(),
            tasks: tasks.clone(),
            is_removed: false,
        }
    }

    /// Kills and removes the container with its volumes.
    pub(crate) async fn remove(mut self) {
        report(remove(&self.docker, &self.name).await, &self.name);
        self.is_removed = true;
    }

    /// Leaves the container to whoever takes it over.
    pub(crate) fn leave(mut self) {
        self.is_removed = true;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let (docker, name) = (self.docker.clone(), self.name.clone());
        self.running.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
        if self.is_removed {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            self.tasks.spawn_on(async move { report(remove(&docker, &name).await, &name) }, &runtime);
        }
    }
}

/// Removes a container; one that is gone is fine.
pub(crate) async fn remove(docker: &Docker, name: &str) -> Result<(), Error> {
    let options = || RemoveContainerOptions { v: true, force: true, link: false };
    let mut tries = 0;
    loop {
        match docker.remove_container(name, Some(options())).await {
            Ok(()) => return Ok(()),
            Err(error) if status(&error) == Some(404) => return Ok(()),
            // Somebody removes it already, or the engine cannot now.
            Err(_) if tries < TRIES => tries += 1,
            Err(error) => return Err(error),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn report(removed: Result<(), Error>, name: &str) {
    if let Err(error) = removed {
        tracing::error!(container = name, error = words(&error), "a step's container cannot be removed");
    }
}
