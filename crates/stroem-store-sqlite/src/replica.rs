//! One server alone: nobody else gives hints, and it leads as soon as it asks.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use stroem_store::{Hint, HintStream, Leadership, ReplicaStore, StoreError};

use crate::SqliteStore;

#[async_trait]
impl ReplicaStore for SqliteStore {
    fn hints(&self) -> Box<dyn HintStream> {
        Box::new(Silence)
    }

    async fn try_lead(&self) -> Result<Option<Box<dyn Leadership>>, StoreError> {
        let taken = self.is_led.swap(true, Ordering::AcqRel);
        Ok((!taken).then(|| Box::new(Led { is_led: Arc::clone(&self.is_led) }) as Box<dyn Leadership>))
    }
}

struct Silence;

#[async_trait]
impl HintStream for Silence {
    async fn next(&mut self) -> Hint {
        pending().await
    }
}

struct Led {
    is_led: Arc<AtomicBool>,
}

#[async_trait]
impl Leadership for Led {
    async fn lost(&self) {
        pending::<()>().await;
    }
}

impl Drop for Led {
    fn drop(&mut self) {
        self.is_led.store(false, Ordering::Release);
    }
}
