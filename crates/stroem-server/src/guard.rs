//! Keeps web pages of strangers away from a server that asks nobody for a token: a browser sends their requests with its
//! user's reach, from the user's own machine.

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, Uri, header};

use crate::error::HttpError;

/// What a server that listens checks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guard {
    /// The server is for this machine only, so it has only this machine's names. Without that a page whose name suddenly
    /// means 127.0.0.1 could read everything.
    pub(crate) loopback_names_only: bool,
}

impl Guard {
    pub(crate) fn around(self, router: Router) -> Router {
        router.layer(from_fn(move |request: Request, next: Next| async move {
            match self.check(request.headers(), request.uri()) {
                Ok(()) => next.run(request).await,
                Err(refused) => *refused,
            }
        }))
    }

    fn check(self, headers: &HeaderMap, uri: &Uri) -> Result<(), Box<Response>> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let host = text(header::HOST).or_else(|| uri.authority().map(|authority| authority.as_str()));
        let refuse = |code: &str, message: String| {
            Err(Box::new(HttpError::new(StatusCode::FORBIDDEN, code, message).into_response()))
        };
        if let Some(host) = host.filter(|host| self.loopback_names_only && !is_loopback(host)) {
            return refuse(
                "foreign_host",
                format!(
                    "this server is for its own machine and not for `{host}`: ask it as 127.0.0.1 or localhost, name tokens under `auth`, or set \
                     `allow_unauthenticated: true` if everybody who can reach it may run everything"
                ),
            );
        }
        match text(header::ORIGIN) {
            Some(origin) if origin.split_once("://").map(|(_, authority)| authority) != host => refuse(
                "foreign_origin",
                format!("pages of `{origin}` may not use this server; only pages that it served itself may"),
            ),
            _ => Ok(()),
        }
    }
}

/// Whether a `Host` header, port or not, names this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(loopback_names_only: bool, headers: &[(http::HeaderName, &str)], allowed: bool) {
        let map =
            headers.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value"))).collect();
        let checked = Guard { loopback_names_only }.check(&map, &Uri::from_static("/api/jobs"));
        assert_eq!(checked.is_ok(), allowed, "{headers:?}");
    }

    #[test]
    fn only_this_machines_names_are_answered_on_loopback() {
        for host in ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080", "stroem.localhost:8080"] {
            check(true, &[(header::HOST, host)], true);
        }
        for host in ["evil.example", "evil.example:8080", "10.0.0.1:8080", "localhost.evil.example"] {
            check(true, &[(header::HOST, host)], false);
            check(false, &[(header::HOST, host)], true);
        }
        check(true, &[], true);
    }

    #[test]
    fn pages_of_other_servers_are_refused() {
        let host = (header::HOST, "localhost:8080");
        check(true, &[host.clone(), (header::ORIGIN, "http://localhost:8080")], true);
        for origin in ["http://localhost:3000", "https://evil.example", "null"] {
            check(true, &[host.clone(), (header::ORIGIN, origin)], false);
            check(false, &[host.clone(), (header::ORIGIN, origin)], false);
        }
    }
}
