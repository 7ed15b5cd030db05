//! Tokens as the server keeps them: their hashes. A token is at least 16 characters of chance, so a plain hash gives
//! nothing away that could be guessed from it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stroem_app::App;
use stroem_core::{Secret, Timestamp};
use subtle::ConstantTimeEq;

use super::Access;

/// What a token may do; each role may what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Look.
    Read,
    /// Run, cancel and re-run jobs.
    Run,
    /// Everything else too.
    Admin,
}

impl Role {
    pub(crate) const ALL: &'static [&'static str] = &["read", "run", "admin"];

    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL[self as usize]
    }
}

/// A configured token.
#[derive(Debug, Clone)]
pub(crate) struct KnownToken {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) hash: [u8; 32],
}

/// How somebody showed who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Nobody was asked.
    Nobody,
    /// `Authorization: Bearer`.
    Token,
    /// The page's cookie.
    Session,
}

/// Who sent a request.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// The token's name; none where nobody is asked.
    pub(crate) name: Option<String>,
    pub(crate) role: Role,
    pub(crate) way: Way,
}

impl Identity {
    pub(super) fn anybody() -> Self {
        Self { name: None, role: Role::Admin, way: Way::Nobody }
    }
}

/// How long a session lasts from its last renewal.
pub(super) const SESSION_SECONDS: u32 = 12 * 60 * 60;

/// What a session says.
#[derive(Serialize, Deserialize)]
struct Session {
    name: String,
    /// Half of the hash of the token's hash: with another token under that name the session is over.
    proof: String,
    until: Timestamp,
}

impl Access {
    /// Whose token this is. Takes as long for one that is almost right as for any other.
    pub(super) fn by_token(&self, token: &str) -> Option<&KnownToken> {
        let hash = hash(token.as_bytes());
        self.tokens.iter().fold(None, |found, known| {
            let same = bool::from(known.hash.ct_eq(&hash));
            if same { Some(known) } else { found }
        })
    }

    pub(super) fn open_session(&self, app: &App, session: &str) -> Option<Identity> {
        let session: Session = serde_json::from_slice(&app.open_session(session)?).ok()?;
        let known = self.tokens.iter().find(|known| known.name == session.name)?;
        let valid = proof(known) == session.proof && app.now() < session.until;
        valid.then(|| Identity { name: Some(known.name.clone()), role: known.role, way: Way::Session })
    }

    /// A new session of a token.
    pub(super) fn session(&self, app: &App, name: &str) -> Option<Secret> {
        let known = self.tokens.iter().find(|known| known.name == name)?;
        let until = app.now().after(std::time::Duration::from_secs(u64::from(SESSION_SECONDS)));
        let session = Session { name: known.name.clone(), proof: proof(known), until };
        let text = serde_json::to_vec(&session).expect("names and numbers are JSON");
        Some(app.seal_session(&text))
    }
}

pub(super) fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn proof(known: &KnownToken) -> String {
    hex::encode(&hash(&known.hash)[..16])
}
