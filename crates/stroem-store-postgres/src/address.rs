//! The database's URL as users of libpq write it. It must not connect.
//!
//! The driver reads most of it; what TLS is to check (`sslmode`, `sslrootcert`) is read here, since the driver knows only
//! whether there is TLS at all.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use tokio_postgres::config::{Config, Host, SslMode};

/// What is checked of the server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// Nothing: the connection is encrypted, to whomever.
    Nothing,
    /// That a trusted authority signed it.
    Authority,
    /// That, and that it is for this host.
    AuthorityAndHost,
}

/// Who is trusted to sign the server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Roots {
    /// The authorities of the system.
    System,
    /// Those of a PEM file.
    File(PathBuf),
}

/// A database to connect to.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) config: Config,
    pub(crate) check: Check,
    pub(crate) roots: Roots,
}

impl Address {
    /// Reads a URL. The error says what is wrong with it, without its password.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err("the database's URL must begin with `postgres://` or `postgresql://`".to_owned());
        }
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut root, mut rest) = (None, None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8().map_err(|_| format!("`{key}` is no text"))?;
            match key {
                "sslmode" => mode = Some(value.into_owned()),
                "sslrootcert" => root = Some(value.into_owned()),
                _ => rest.push(pair),
            }
        }
        let rest = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
        let mut config: Config = rest.parse().map_err(|error: tokio_postgres::Error| {
            let cause =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("the database's URL cannot be read{cause}")
        })?;
        let roots = match root.as_deref() {
            None | Some("system") => Roots::System,
            Some(file) => Roots::File(PathBuf::from(file)),
        };
        let (ssl, check) = meaning(mode.as_deref(), root.is_some())?;
        // There is nobody to listen on a socket file, and no name to check.
        let local = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        config.ssl_mode(if local { SslMode::Disable } else { ssl });
        Ok(Self { config, check, roots })
    }
}

/// As libpq has it: `require` becomes a check of the authority when a root certificate is named.
fn meaning(mode: Option<&str>, named_root: bool) -> Result<(SslMode, Check), String> {
    match mode {
        None | Some("prefer") => Ok((SslMode::Prefer, Check::Nothing)),
        Some("disable") => Ok((SslMode::Disable, Check::Nothing)),
        Some("require") if named_root => Ok((SslMode::Require, Check::Authority)),
        Some("require") => Ok((SslMode::Require, Check::Nothing)),
        Some("verify-ca") => Ok((SslMode::Require, Check::Authority)),
        Some("verify-full") => Ok((SslMode::Require, Check::AuthorityAndHost)),
        Some(other) => Err(format!(
            "`sslmode={other}` is not known: use disable, prefer, require, verify-ca or verify-full"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_decides_what_is_checked() {
        for (query, ssl, check) in [
            ("", SslMode::Prefer, Check::Nothing),
            ("?sslmode=prefer", SslMode::Prefer, Check::Nothing),
            ("?sslmode=disable", SslMode::Disable, Check::Nothing),
            ("?sslmode=require", SslMode::Require, Check::Nothing),
            ("?sslmode=require&sslrootcert=%2Fa%20b.pem", SslMode::Require, Check::Authority),
            ("?sslmode=verify-ca", SslMode::Require, Check::Authority),
            ("?connect_timeout=3&sslmode=verify-full", SslMode::Require, Check::AuthorityAndHost),
        ] {
            let address = Address::parse(&format!("postgres://me:pw@db.example/jobs{query}")).expect(query);
            assert_eq!((address.config.get_ssl_mode(), address.check), (ssl, check), "{query}");
            assert_eq!(address.config.get_dbname(), Some("jobs"), "{query}");
        }
    }

    #[test]
    fn a_root_certificate_is_a_file_or_the_systems() {
        for (query, roots) in [
            ("", Roots::System),
            ("?sslrootcert=system", Roots::System),
            ("?sslrootcert=%2Fa%20b.pem", Roots::File("/a b.pem".into())),
        ] {
            assert_eq!(Address::parse(&format!("postgres://db/jobs{query}")).expect(query).roots, roots);
        }
    }

    #[test]
    fn a_socket_file_needs_no_tls() {
        let address = Address::parse("postgresql://me@/jobs?host=/run/postgresql&sslmode=verify-full");
        assert_eq!(address.expect("reads").config.get_ssl_mode(), SslMode::Disable);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (url, expected) in [
            ("mysql://db/jobs", "must begin with `postgres://`"),
            ("postgres://me:secret@db/jobs?sslmode=verify", "`sslmode=verify` is not known"),
            ("postgres://me:secret@db/jobs?colour=red", "unknown option `colour`"),
            ("postgres://me:secret@db:port/jobs", "cannot be read"),
        ] {
            let message = Address::parse(url).expect_err(url);
            assert!(message.contains(expected) && !message.contains("secret"), "{url}: {message}");
        }
    }
}
