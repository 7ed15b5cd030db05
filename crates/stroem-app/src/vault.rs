//! Encrypts inputs with `secret: true` before they are stored, with a key that lies in a file beside the data.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use stroem_workflow::Plan;
use zeroize::Zeroizing;

use crate::{Clock, error::AppError};

/// How a stored secret is marked: `{"$encrypted": "<hex of nonce and ciphertext>"}`.
const MARK: &str = "$encrypted";
/// How a secret is shown.
const MASK: &str = "••••••";
const NONCE_BYTES: usize = 24;
/// What is hashed before a key.
const FINGERPRINT: &[u8] = b"stroem secret key ";

/// Seals and opens secret inputs.
#[derive(Clone)]
pub struct Vault {
    cipher: XChaCha20Poly1305,
    clock: Arc<dyn Clock>,
    file: PathBuf,
    fingerprint: String,
    is_new: bool,
}

impl Vault {
    /// Reads the key file, or makes one that only its owner can read.
    ///
    /// # Errors
    /// [`AppError::Disk`] when the file cannot be read or made, or does not hold a key.
    pub fn open(key_file: &Path, clock: Arc<dyn Clock>) -> Result<Self, AppError> {
        let error =
            |message: String| AppError::Disk { what: format!("key file {}", key_file.display()), message };
        let is_new = !key_file.exists();
        if is_new {
            let key = Zeroizing::new(hex::encode(clock.random()));
            match write_private(key_file, &key) {
                // Another server in the same directory was first.
                Err(there) if there.kind() == std::io::ErrorKind::AlreadyExists => {}
                made => made.map_err(|e| error(e.to_string()))?,
            }
        }
        let text = std::fs::read_to_string(key_file).map_err(|e| error(e.to_string()))?;
        let key = Zeroizing::new(hex::decode(text.trim()).map_err(|e| error(e.to_string()))?);
        let fingerprint = hex::encode(Sha256::new().chain_update(FINGERPRINT).chain_update(&*key).finalize());
        let cipher = XChaCha20Poly1305::new_from_slice(&key)
            .map_err(|_| error("it does not hold 64 hexadecimal digits".into()))?;
        Ok(Self { cipher, clock, file: key_file.to_owned(), fingerprint, is_new })
    }

    /// Tells keys apart and says nothing about them.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Where the key lies.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Removes a key that was made just now and has sealed nothing.
    pub(crate) fn forget_if_new(&self) {
        if self.is_new
            && let Err(error) = std::fs::remove_file(&self.file)
        {
            tracing::warn!(%error, "a key that is not needed cannot be removed");
        }
    }

    /// A job's input as it is stored.
    pub(crate) fn seal(&self, plan: &Plan, input: &Map<String, Value>) -> Map<String, Value> {
        each_secret(plan, input, |value| {
            let text = Zeroizing::new(value.to_string());
            let random = self.clock.random();
            let nonce = XNonce::try_from(&random[..NONCE_BYTES]).expect("32 bytes hold a nonce");
            let sealed =
                self.cipher.encrypt(&nonce, text.as_bytes()).expect("encryption of short text works");
            json!({ MARK: format!("{}{}", hex::encode(&random[..NONCE_BYTES]), hex::encode(sealed)) })
        })
    }

    /// A stored input as steps use it.
    pub(crate) fn open_input(
        &self,
        plan: &Plan,
        input: &Map<String, Value>,
    ) -> Result<Map<String, Value>, AppError> {
        let mut failed = false;
        let opened = each_secret(plan, input, |value| {
            self.open_value(value).unwrap_or_else(|| {
                failed = true;
                Value::Null
            })
        });
        if failed {
            let message =
                "a stored secret cannot be opened: the key file is another one than at its creation"
                    .to_owned();
            return Err(AppError::Disk { what: "secret input".to_owned(), message });
        }
        Ok(opened)
    }

    /// A stored input as people see it.
    pub(crate) fn mask(plan: &Plan, input: &Map<String, Value>) -> Map<String, Value> {
        each_secret(plan, input, |_| Value::from(MASK))
    }

    /// Seals bytes for a purpose; only [`Self::open_text`] with the same purpose opens them.
    pub(crate) fn seal_text(&self, purpose: &[u8], text: &[u8]) -> String {
        let random = self.clock.random();
        let nonce = XNonce::try_from(&random[..NONCE_BYTES]).expect("32 bytes hold a nonce");
        let payload = Payload { msg: text, aad: purpose };
        let sealed = self.cipher.encrypt(&nonce, payload).expect("encryption of short text works");
        format!("{}{}", hex::encode(&random[..NONCE_BYTES]), hex::encode(sealed))
    }

    /// What was sealed for this purpose with this key.
    pub(crate) fn open_text(&self, purpose: &[u8], sealed: &str) -> Option<Vec<u8>> {
        let bytes = hex::decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES)?;
        self.cipher.decrypt(&XNonce::try_from(nonce).ok()?, Payload { msg: sealed, aad: purpose }).ok()
    }

    fn open_value(&self, value: &Value) -> Option<Value> {
        let bytes = hex::decode(value.get(MARK)?.as_str()?).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES)?;
        let text = Zeroizing::new(self.cipher.decrypt(&XNonce::try_from(nonce).ok()?, sealed).ok()?);
        serde_json::from_slice(&text).ok()
    }
}

fn each_secret(
    plan: &Plan,
    input: &Map<String, Value>,
    mut change: impl FnMut(&Value) -> Value,
) -> Map<String, Value> {
    let secret = |name: &str| plan.input.get(name).is_some_and(|field| field.secret);
    input
        .iter()
        .map(|(name, value)| {
            let value = if secret(name) && !value.is_null() { change(value) } else { value.clone() };
            (name.clone(), value)
        })
        .collect()
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    // Whole or not at all: another server may read it at once.
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".key-")
        .permissions(std::fs::Permissions::from_mode(0o600))
        .tempfile_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map(drop).map_err(|error| error.error)
}
