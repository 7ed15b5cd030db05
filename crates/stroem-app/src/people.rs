//! Sessions of people who logged in. A session is a sealed text that its holder keeps, so nothing is stored, a restart
//! ends none, and any replica with the key file understands it. What it says is up to the caller.

use stroem_core::Secret;

use crate::App;

/// What the vault binds a session to, so that nothing else that it sealed passes for one.
const PURPOSE: &[u8] = b"person";

impl App {
    /// Seals what a session says.
    pub fn seal_session(&self, said: &[u8]) -> Secret {
        Secret::new(self.inner.vault.seal_text(PURPOSE, said))
    }

    /// What a session says; none when it was not sealed here.
    pub fn open_session(&self, session: &str) -> Option<Vec<u8>> {
        self.inner.vault.open_text(PURPOSE, session)
    }
}
