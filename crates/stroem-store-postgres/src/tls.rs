//! TLS by rustls: what is checked of the server's certificate. It must not know what is sent.

use std::{fs::File, io::BufReader, path::Path, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
    server::ParsedCertificate,
};
use stroem_store::StoreError;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::address::{Address, Check, Roots};

/// How to begin TLS with the server of an address. Reads the roots once.
pub(crate) fn connector(address: &Address) -> Result<MakeRustlsConnect, StoreError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match address.check {
        Check::Nothing => Arc::new(Encrypted { provider: Arc::clone(&provider) }),
        // Never asked: nothing to read then, on systems without any certificates too.
        _ if address.config.get_ssl_mode() == SslMode::Disable => {
            Arc::new(Encrypted { provider: Arc::clone(&provider) })
        }
        check => Arc::new(trusted(address, check, &provider)?),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::Internal(format!("TLS: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn trusted(address: &Address, check: Check, provider: &Arc<CryptoProvider>) -> Result<Trusted, StoreError> {
    let (roots, pinned) = roots(&address.roots)?;
    let authorities = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| StoreError::Unavailable(format!("no certificate authorities: {error}")))?;
    Ok(Trusted { authorities, pinned, check_name: check == Check::AuthorityAndHost })
}

/// The authorities, and of a file also the certificates themselves.
fn roots(roots: &Roots) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), StoreError> {
    let mut store = RootCertStore::empty();
    let mut pinned = Vec::new();
    match roots {
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(found.certs);
            if store.is_empty() {
                return Err(StoreError::Unavailable(format!(
                    "the system has no certificate authorities {:?}: name a file with `sslrootcert`",
                    found.errors
                )));
            }
        }
        Roots::File(file) => {
            pinned = pem(file)?;
            for certificate in &pinned {
                store.add(certificate.clone()).map_err(|error| unreadable(file, &error))?;
            }
        }
    }
    Ok((store, pinned))
}

fn pem(file: &Path) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let text = File::open(file).map_err(|error| unreadable(file, &error))?;
    let certificates = CertificateDer::pem_reader_iter(BufReader::new(text)).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| unreadable(file, &error))?;
    if certificates.is_empty() { Err(unreadable(file, &"it holds no certificate")) } else { Ok(certificates) }
}

fn unreadable(file: &Path, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unavailable(format!("`sslrootcert` {}: {error}", file.display()))
}

/// `sslmode=require` and `prefer`: any certificate, so long as the server holds its key.
#[derive(Debug)]
struct Encrypted {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Encrypted {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// `sslmode=verify-ca` and `verify-full`: signed by someone trusted, and for the latter made for this host.
#[derive(Debug)]
struct Trusted {
    authorities: Arc<WebPkiServerVerifier>,
    /// Certificates of the file of roots. A server's own certificate may stand there, as PostgreSQL's manual makes it:
    /// signed by itself and marked as an authority, which no server's certificate may be by the rules of the web.
    pinned: Vec<CertificateDer<'static>>,
    check_name: bool,
}

impl ServerCertVerifier for Trusted {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.pinned.contains(certificate) {
            if self.check_name {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        // The name is looked at last, when everything else is in order.
        match self.authorities.verify_server_cert(certificate, between, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.check_name => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}
