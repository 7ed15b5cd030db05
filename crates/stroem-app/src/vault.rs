//! Encrypts inputs with `secret: true` before they are stored, with a key that lies in a file beside the data.

use std::{io::Write, path::Path, sync::Arc};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use serde_json::{Map, Value, json};
use stroem_workflow::Plan;
use zeroize::Zeroizing;

use crate::{Clock, error::AppError};

/// How a stored secret is marked: `{"$encrypted": "<hex of nonce and ciphertext>"}`.
const MARK: &str = "$encrypted";
/// How a secret is shown.
const MASK: &str = "••••••";
const NONCE_BYTES: usize = 24;

/// Seals and opens secret inputs.
#[derive(Clone)]
pub struct Vault {
    cipher: XChaCha20Poly1305,
    clock: Arc<dyn Clock>,
}

impl Vault {
    /// Reads the key file, or makes one that only its owner can read.
    ///
    /// # Errors
    /// [`AppError::Disk`] when the file cannot be read or made, or does not hold a key.
    pub fn open(key_file: &Path, clock: Arc<dyn Clock>) -> Result<Self, AppError> {
        let error =
            |message: String| AppError::Disk { what: format!("key file {}", key_file.display()), message };
        let key = match std::fs::read_to_string(key_file) {
            Ok(text) => Zeroizing::new(hex::decode(text.trim()).map_err(|e| error(e.to_string()))?),
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => {
                let key = Zeroizing::new(clock.random().to_vec());
                write_private(key_file, &hex::encode(&*key)).map_err(|e| error(e.to_string()))?;
                key
            }
            Err(other) => return Err(error(other.to_string())),
        };
        let cipher = XChaCha20Poly1305::new_from_slice(&key)
            .map_err(|_| error("it does not hold 64 hexadecimal digits".into()))?;
        Ok(Self { cipher, clock })
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
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
