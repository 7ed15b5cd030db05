//! HTTP/1.1 over TCP or TLS, with connections kept open.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, Uri, uri::PathAndQuery};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use crate::transport::{ResponseBody, Transport, TransportError};

/// Why an address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HttpTransportError {
    /// Not `http://host[:port][/prefix]` or `https://...`.
    #[error("`{0}` is not a server address: write for example http://127.0.0.1:8080")]
    Address(String),
}

/// A client of one server.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    address: String,
    base: Uri,
}

impl HttpTransport {
    /// A client of the server at `http://host:port` or `https://host:port`, with an optional path prefix.
    ///
    /// # Errors
    /// [`HttpTransportError::Address`].
    pub fn new(address: &str) -> Result<Self, HttpTransportError> {
        let error = || HttpTransportError::Address(address.to_owned());
        let base: Uri = address.trim_end_matches('/').parse().map_err(|_| error())?;
        if !matches!(base.scheme_str(), Some("http" | "https")) || base.authority().is_none() {
            return Err(error());
        }
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(std::time::Duration::from_secs(10)));
        // A machine without certificates can still use plain HTTP; HTTPS then fails by its own message.
        let connector = match HttpsConnectorBuilder::new().with_native_roots() {
            Ok(builder) => builder.https_or_http().enable_http1().wrap_connector(http),
            Err(_) => HttpsConnectorBuilder::new()
                .with_tls_config(without_roots())
                .https_or_http()
                .enable_http1()
                .wrap_connector(http),
        };
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, address: base.to_string(), base })
    }

    fn absolute(&self, path: &Uri) -> Result<Uri, http::Error> {
        let prefix = self.base.path().trim_end_matches('/');
        let tail = path.path_and_query().map_or("/", PathAndQuery::as_str);
        let mut parts = self.base.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(format!("{prefix}{tail}"))?);
        Ok(Uri::from_parts(parts)?)
    }

    fn error(&self, error: &dyn std::error::Error) -> TransportError {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            message = format!("{message}: {inner}");
            source = inner.source();
        }
        TransportError { server: self.address.clone(), message }
    }
}

fn without_roots() -> rustls::ClientConfig {
    rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<ResponseBody>, TransportError> {
        let (mut parts, body) = request.into_parts();
        parts.uri = self.absolute(&parts.uri).map_err(|error| self.error(&error))?;
        let request = Request::from_parts(parts, Full::new(body));
        let response = self.client.request(request).await.map_err(|error| self.error(&error))?;
        let address = self.address.clone();
        Ok(response.map(|body| {
            body.map_err(move |error| TransportError { server: address.clone(), message: error.to_string() })
                .boxed_unsync()
        }))
    }

    fn server(&self) -> &str {
        &self.address
    }
}
