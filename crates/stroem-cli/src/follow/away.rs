//! What to do when the server is away in the middle of following: say so once, wait, try again.

use std::time::Duration;

use stroem_api::ApiError;

use crate::failure::Failure;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Whether the server answers, as seen by one stream.
#[derive(Debug)]
pub(super) struct Presence {
    answered: bool,
    said: bool,
    pause: Duration,
}

impl Presence {
    /// Nothing is known yet.
    pub(super) fn new() -> Self {
        Self { answered: false, said: false, pause: FIRST_PAUSE }
    }

    /// The server answered.
    pub(super) fn is_here(&mut self) {
        *self = Self { answered: true, said: false, pause: FIRST_PAUSE };
    }

    /// A call failed. Gives what to say, if it was not said yet.
    ///
    /// # Errors
    /// The failure itself when the server never answered, or when trying again cannot help.
    pub(super) fn is_away(&mut self, error: ApiError) -> Result<Option<String>, Failure> {
        let passing = match &error {
            ApiError::Transport(_) => true,
            ApiError::Refused { status, .. } => matches!(status, 502..=504),
            ApiError::Unreadable { .. } => false,
        };
        if !passing || !self.answered {
            return Err(error.into());
        }
        let remark = (!self.said).then(|| format!("{error}; trying again\n"));
        self.said = true;
        Ok(remark)
    }

    /// Waits before the next try, longer each time.
    pub(super) async fn pause(&mut self) {
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}
