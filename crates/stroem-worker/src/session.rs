//! Who the worker is to the server: registration, the session's token, and registering again when the server asks for
//! it or when the worker's tags change. Every other call goes through [`Session::current`].

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use stroem_api::{
    ApiError, ControlPlane,
    worker::{PROTOCOL, RegisterRequest, RegisterResponse},
};
use stroem_core::{InstanceId, LeaseKey, Secret, TagSet, WorkerName};
use stroem_runner::StopReason;

use crate::{WorkerError, backoff::Backoff, leases::Leases};

/// What does not change while the worker runs.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) name: WorkerName,
    pub(crate) token: Secret,
    pub(crate) instance: InstanceId,
    pub(crate) exclusive: bool,
    pub(crate) capacity: u32,
}

/// What the worker offers now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) tags: TagSet,
    pub(crate) withdrawn: Vec<(String, String)>,
}

/// A valid session, as far as is known.
#[derive(Debug)]
pub(crate) struct Current {
    generation: u64,
    pub(crate) token: Secret,
    pub(crate) heartbeat_interval: Duration,
}

/// The worker's session.
pub(crate) struct Session {
    control: ControlPlane,
    identity: Identity,
    leases: Arc<Leases>,
    offer: Mutex<Offer>,
    current: Mutex<Arc<Current>>,
    /// One registration at a time.
    gate: tokio::sync::Mutex<()>,
}

/// What a refusal means for who was refused.
enum Refusal {
    WrongToken,
    NameTaken,
    Other,
}

impl Session {
    /// Registers for the first time, trying until the server is there.
    ///
    /// # Errors
    /// [`WorkerError::Token`] when the server does not take the worker token.
    pub(crate) async fn open(
        control: ControlPlane,
        identity: Identity,
        leases: Arc<Leases>,
        offer: Offer,
    ) -> Result<Self, WorkerError> {
        let response = Self::register(&control, &identity, &leases, || offer.clone(), true).await?;
        let current = Mutex::new(Arc::new(current(1, &response)));
        let session = Self {
            control,
            identity,
            leases,
            offer: Mutex::new(offer),
            current,
            gate: tokio::sync::Mutex::default(),
        };
        session.take_lost(&response.lost);
        Ok(session)
    }

    /// The token to use now.
    pub(crate) fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether an error says that the session is over; then it is renewed before this returns.
    pub(crate) async fn renewed(&self, error: &ApiError, used: &Current) -> bool {
        let over = error.code() == Some("no_session");
        if over {
            self.renew(used.generation).await;
        }
        over
    }

    /// Offers other tags.
    pub(crate) async fn offer(&self, offer: Offer) {
        let before =
            std::mem::replace(&mut *self.offer.lock().unwrap_or_else(PoisonError::into_inner), offer.clone());
        if before != offer {
            let generation = self.current().generation;
            self.renew(generation).await;
        }
    }

    /// Registers again unless somebody has since `seen`.
    async fn renew(&self, seen: u64) {
        let _gate = self.gate.lock().await;
        let before = self.current();
        if before.generation > seen {
            return;
        }
        let offer = || self.offer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Only the first registration gives up.
        let Ok(response) = Self::register(&self.control, &self.identity, &self.leases, offer, false).await
        else {
            return;
        };
        let renewed = Arc::new(current(before.generation + 1, &response));
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = renewed;
        self.take_lost(&response.lost);
    }

    fn take_lost(&self, lost: &[LeaseKey]) {
        for lease in lost {
            self.leases.stop(*lease, StopReason::LeaseLost);
        }
    }

    async fn register(
        control: &ControlPlane,
        identity: &Identity,
        leases: &Leases,
        offer: impl Fn() -> Offer,
        may_give_up: bool,
    ) -> Result<RegisterResponse, WorkerError> {
        let mut backoff = Backoff::new();
        loop {
            let Offer { tags, withdrawn } = offer();
            let request = RegisterRequest {
                protocol: PROTOCOL,
                name: identity.name.clone(),
                instance: identity.instance,
                tags,
                withdrawn,
                exclusive: identity.exclusive,
                capacity: identity.capacity,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                surviving: leases.held(),
            };
            match control.register(&identity.token, &request).await {
                Ok(response) => {
                    tracing::info!(worker.id = %response.worker_id, worker.name = %identity.name, server = control.server(), "registered");
                    return Ok(response);
                }
                Err(error) => match refusal(&error) {
                    Refusal::WrongToken if may_give_up => {
                        return Err(WorkerError::Token {
                            server: control.server().to_owned(),
                            message: error.to_string(),
                        });
                    }
                    Refusal::WrongToken | Refusal::NameTaken => {
                        tracing::error!(worker.name = %identity.name, %error, "the server refuses this worker; trying again");
                    }
                    Refusal::Other if backoff.is_fresh() => {
                        tracing::warn!(server = control.server(), %error, "cannot register yet; trying again");
                    }
                    Refusal::Other => {}
                },
            }
            backoff.wait().await;
        }
    }
}

fn refusal(error: &ApiError) -> Refusal {
    match error.code() {
        Some("bad_worker_token") => Refusal::WrongToken,
        Some("worker_name_taken") => Refusal::NameTaken,
        _ => Refusal::Other,
    }
}

fn current(generation: u64, response: &RegisterResponse) -> Current {
    Current {
        generation,
        token: response.session_token.clone(),
        heartbeat_interval: Duration::from_millis(response.heartbeat_interval_ms.max(10)),
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("identity", &self.identity).finish_non_exhaustive()
    }
}
