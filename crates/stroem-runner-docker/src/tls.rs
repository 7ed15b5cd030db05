//! A TLS client that trusts the configured authority and nobody else.

use std::{fs, path::Path, sync::Arc};

use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::{OptionsError, TlsFiles};

/// Reads the files and makes a connector of them.
pub(crate) fn connector(files: &TlsFiles) -> Result<HttpsConnector<HttpConnector>, OptionsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.ca)? {
        roots.add(certificate).map_err(|error| refused(&files.ca, error))?;
    }
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?)
        .map_err(|error| refused(&files.key, format!("it holds no private key: {error}")))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(&files.cert, error))?
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(&files.cert)?, key)
        .map_err(|error| refused(&files.cert, error))?;
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    Ok(HttpsConnector::from((http, config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, OptionsError> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(refused(path, "it holds no certificate")),
        Err(error) => Err(refused(path, error)),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, OptionsError> {
    fs::read(path).map_err(|error| refused(path, error))
}

fn refused(path: &Path, reason: impl std::fmt::Display) -> OptionsError {
    OptionsError::Tls { path: path.to_owned(), reason: reason.to_string() }
}
