//! The router as a transport: the same requests and answers without a socket.

use async_trait::async_trait;
use axum::{Router, body::Body};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use stroem_api::{ResponseBody, Transport, TransportError};
use tower::ServiceExt;

/// Calls the router in the same process.
#[derive(Debug, Clone)]
pub struct RouterTransport {
    router: Router,
}

const SERVER: &str = "the server in this process";

impl RouterTransport {
    /// Over this router.
    pub fn new(router: Router) -> Self {
        Self { router }
    }
}

#[async_trait]
impl Transport for RouterTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<ResponseBody>, TransportError> {
        let response = match self.router.clone().oneshot(request.map(Body::from)).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        Ok(response.map(|body| {
            body.map_err(|error| TransportError { server: SERVER.to_owned(), message: error.to_string() })
                .boxed_unsync()
        }))
    }

    fn server(&self) -> &str {
        SERVER
    }
}
