//! What happens to each request before and after its handler: who is it, may they, and a line of what they did.

use std::{
    net::IpAddr,
    sync::{Arc, PoisonError},
    time::Duration,
};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use stroem_app::App;

use super::{Access, Identity, Subject, Way, audit::Line, cookie, need::need, tokens::Role};
use crate::error::HttpError;

/// Where a request comes from, for handlers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client(pub(super) Option<IpAddr>);

/// Why a request is not let through.
#[derive(Debug)]
pub(super) enum Refused {
    NoToken,
    BadToken,
    SessionOver,
    TooMany(Duration),
    Role { has: Role, needs: Role },
}

/// The middleware of all routes.
pub(crate) async fn check(
    State((access, app)): State<(Arc<Access>, App)>,
    mut request: Request,
    next: Next,
) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let from = access.client(request.extensions(), request.headers());
    let action = format!("{method} {}", route.as_deref().unwrap_or("*"));
    let who = match access.admit(&app, &request, route.as_deref(), from) {
        Ok(who) => who,
        Err((who, refused)) => {
            let (status, code) = (refused.status(), refused.code());
            // Who sends nothing is asked; who sends too much is not written down again and again.
            if !matches!(refused, Refused::NoToken | Refused::SessionOver | Refused::TooMany(_)) {
                let who = who.as_ref();
                Line { who, action: &action, on: &path, from, status, result: code }.write();
            }
            return refused.into_response();
        }
    };
    request.extensions_mut().insert(Client(from));
    if let Some(who) = &who {
        request.extensions_mut().insert(who.clone());
    }
    let response = next.run(request).await;
    let is_change = !matches!(method, Method::GET | Method::HEAD | Method::OPTIONS);
    if let Some(who) = who.as_ref().filter(|_| is_change) {
        let subject = response.extensions().get::<Subject>().map(|subject| subject.0.clone());
        let status = response.status();
        let result =
            subject.unwrap_or_else(|| if status.is_success() { "done" } else { "refused" }.to_owned());
        Line { who: Some(who), action: &action, on: &path, from, status, result: &result }.write();
    }
    response
}

impl Access {
    /// Who sends this request; none where nobody is asked on a route that is open to all.
    fn admit(
        &self,
        app: &App,
        request: &Request,
        route: Option<&str>,
        from: Option<IpAddr>,
    ) -> Result<Option<Identity>, (Option<Identity>, Refused)> {
        let needs = need(request.method(), route, request.uri().path());
        let Some(needs) = needs.filter(|_| !(self.open_metrics && route == Some("/metrics"))) else {
            return Ok(None);
        };
        if !self.is_closed() {
            return Ok(Some(Identity::anybody()));
        }
        let who = self.identify(app, request.headers(), from).map_err(|refused| (None, refused))?;
        if who.role < needs {
            let has = who.role;
            return Err((Some(who), Refused::Role { has, needs }));
        }
        Ok(Some(who))
    }

    fn identify(&self, app: &App, headers: &HeaderMap, from: Option<IpAddr>) -> Result<Identity, Refused> {
        if let Some(header) = headers.get(header::AUTHORIZATION) {
            let token = header.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
            return self.take_token(app, token.unwrap_or_default(), from);
        }
        let session = cookie::find(headers).ok_or(Refused::NoToken)?;
        self.open_session(app, session).ok_or(Refused::SessionOver)
    }

    /// Whose token this is, unless too many wrong ones came from there lately.
    pub(super) fn take_token(
        &self,
        app: &App,
        token: &str,
        from: Option<IpAddr>,
    ) -> Result<Identity, Refused> {
        let now = app.now();
        let failures = || self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wait) = from.and_then(|from| failures().wait(from, now)) {
            return Err(Refused::TooMany(wait));
        }
        match self.by_token(token) {
            Some(known) => Ok(Identity { name: Some(known.name.clone()), role: known.role, way: Way::Token }),
            None => {
                if let Some(from) = from {
                    failures().note(from, now);
                }
                Err(Refused::BadToken)
            }
        }
    }
}

impl Refused {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::BadToken => "bad_token",
            Self::SessionOver => "session_over",
            Self::TooMany(_) => "too_many_attempts",
            Self::Role { .. } => "role_too_small",
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NoToken | Self::BadToken | Self::SessionOver => StatusCode::UNAUTHORIZED,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Role { .. } => StatusCode::FORBIDDEN,
        }
    }

    fn sentence(&self) -> String {
        match self {
            Self::NoToken => {
                "this server asks for a token: send `Authorization: Bearer TOKEN`, give the program \
                              `--token` or STROEM_TOKEN, or log in on the page"
                    .to_owned()
            }
            Self::BadToken => "this server does not know the token".to_owned(),
            Self::SessionOver => "the session is over: log in again".to_owned(),
            Self::TooMany(wait) => {
                format!("too many wrong tokens from this address: try again in {} s", seconds(*wait))
            }
            Self::Role { has, needs } => {
                format!(
                    "this needs a token of the role {}, and yours has the role {}",
                    needs.as_str(),
                    has.as_str()
                )
            }
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = HttpError::new(self.status(), self.code(), self.sentence()).into_response();
        match self {
            Self::TooMany(wait) => {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds(wait)));
            }
            Self::NoToken | Self::BadToken => {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::SessionOver | Self::Role { .. } => {}
        }
        response
    }
}

fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + 1
}
