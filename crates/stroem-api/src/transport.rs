//! How a request reaches a server.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};

/// A response's body, as it arrives.
pub type ResponseBody = UnsyncBoxBody<Bytes, TransportError>;

/// The connection failed; whether the server saw the request is unknown.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot reach {server}: {message}")]
pub struct TransportError {
    /// The server's address.
    pub server: String,
    /// What went wrong.
    pub message: String,
}

/// Carries requests to one server. The request's URI holds path and query only.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Sends a request and answers when the response's head is there.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<ResponseBody>, TransportError>;

    /// The server's address, for messages.
    fn server(&self) -> &str;
}

/// Reads a body to its end.
///
/// # Errors
/// [`TransportError`] when the connection breaks before.
pub async fn collect(body: ResponseBody) -> Result<Bytes, TransportError> {
    Ok(body.collect().await?.to_bytes())
}
