//! Download tokens: pods get one instead of a worker's session. A token opens one revision of one workspace, and only
//! while its lease is the valid one of a running step. It is the sealed ticket itself, so nothing is stored and any
//! replica with the key file understands it.

use std::io::Read;

use serde::{Deserialize, Serialize};
use stroem_core::{LeaseKey, Revision, Secret, StepStatus, WorkspaceName};
use stroem_engine::Footprint;

use crate::{App, AppError};

/// What the vault binds a ticket to, so that nothing else that it sealed passes for one.
const PURPOSE: &[u8] = b"download";

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Ticket {
    lease: LeaseKey,
    workspace: WorkspaceName,
    revision: Revision,
}

impl App {
    /// A token for the workspace of a claimed step.
    pub(crate) fn download_token(
        &self,
        lease: LeaseKey,
        workspace: &WorkspaceName,
        revision: &Revision,
    ) -> Secret {
        let ticket = Ticket { lease, workspace: workspace.clone(), revision: revision.clone() };
        let text = serde_json::to_vec(&ticket).expect("names and numbers are JSON");
        Secret::new(self.inner.vault.seal_text(PURPOSE, &text))
    }

    /// A revision's files as a plain tarball, for who holds a token for it.
    ///
    /// # Errors
    /// [`AppError::BadDownloadToken`] when it is not for this revision or its lease is over, else
    /// [`AppError::NoSuchRevision`], [`AppError::WorkspaceUnreadable`], [`AppError::Store`].
    pub async fn download(
        &self,
        token: &str,
        workspace: &str,
        revision: &Revision,
    ) -> Result<Box<dyn Read + Send>, AppError> {
        let sealed = self.inner.vault.open_text(PURPOSE, token);
        let ticket = sealed.and_then(|text| serde_json::from_slice::<Ticket>(&text).ok());
        let ticket =
            ticket.filter(|ticket| ticket.workspace.as_str() == workspace && ticket.revision == *revision);
        let Some(Ticket { lease, .. }) = ticket else { return Err(AppError::BadDownloadToken) };
        if !self.is_valid(lease).await? {
            return Err(AppError::BadDownloadToken);
        }
        let tarball = self.tarball(workspace, revision).await?;
        let opened = tokio::task::spawn_blocking(move || stroem_source::open_plain(&tarball)).await;
        let opened =
            opened.map_err(|error| error.to_string()).and_then(|opened| opened.map_err(|e| e.to_string()));
        opened.map_err(|message| AppError::WorkspaceUnreadable { workspace: workspace.to_owned(), message })
    }

    async fn is_valid(&self, lease: LeaseKey) -> Result<bool, AppError> {
        let step = lease.attempt.step;
        let footprint =
            Footprint { steps: [step].into(), results: [].into(), open_steps: false, job_input: false };
        let loaded = match self.inner.store.load(lease.attempt.job, &footprint).await {
            Err(stroem_store::StoreError::Unavailable(message)) => {
                return Err(stroem_store::StoreError::Unavailable(message).into());
            }
            loaded => loaded.ok(),
        };
        let row = loaded.as_ref().and_then(|loaded| loaded.steps.get(&step));
        // An adopted attempt has a newer fence, and its pod the token that it was given.
        Ok(row.is_some_and(|row| {
            row.attempt == lease.attempt.attempt
                && row.fence >= Some(lease.fence)
                && row.status == StepStatus::Running
        }))
    }
}
