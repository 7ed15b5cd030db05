//! The page's way in and out.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::State,
    response::{AppendHeaders, IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use stroem_api::{
    ErrorBody,
    public::{LoginRequest, Me},
};
use stroem_app::App;

use super::{
    Access, Identity,
    audit::Line,
    check::{Client, Refused},
    cookie,
};
use crate::{error::HttpError, public::read_body};

type Cookie = AppendHeaders<[(HeaderName, HeaderValue); 1]>;

fn carry(value: HeaderValue) -> Cookie {
    AppendHeaders([(header::SET_COOKIE, value)])
}

fn me_of(identity: &Identity) -> Me {
    Me { name: identity.name.clone(), role: identity.role.as_str().to_owned() }
}

/// Exchanges a token for a session in a cookie that scripts cannot read. The session lasts for 12 hours, and ends at once
/// when its token leaves the configuration.
#[utoipa::path(
    post, operation_id = "log_in", path = "/api/auth/login", tag = "auth", request_body = LoginRequest,
    responses(
        (status = 200, body = Me, description = "With the cookie"),
        (status = 401, body = ErrorBody, description = "The token is not known"),
        (status = 409, body = ErrorBody, description = "This server asks nobody for a token"),
        (status = 429, body = ErrorBody, description = "Too many wrong tokens from this address"),
    ),
)]
pub(crate) async fn login(
    State(app): State<App>,
    Extension(access): Extension<Arc<Access>>,
    Extension(Client(from)): Extension<Client>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, HttpError> {
    if !access.is_closed() {
        let message = "this server asks nobody for a token: there is nothing to log in to";
        return Err(HttpError::new(StatusCode::CONFLICT, "no_authentication", message));
    }
    let request: LoginRequest = read_body(&body, "`{\"token\": \"...\"}`")?;
    let taken = access.take_token(&app, request.token.expose(), from);
    let line = |who: Option<&Identity>, status, result: &str| {
        let action = "POST /api/auth/login";
        Line { who, action, on: "/api/auth/login", from, status, result }.write();
    };
    let identity = match taken {
        Ok(identity) => identity,
        Err(refused) => {
            if !matches!(refused, Refused::TooMany(_)) {
                line(None, refused.status(), refused.code());
            }
            return Ok(refused.into_response());
        }
    };
    line(Some(&identity), StatusCode::OK, "logged in");
    Ok(with_session(&app, &access, &identity, &headers))
}

fn with_session(app: &App, access: &Access, identity: &Identity, headers: &HeaderMap) -> Response {
    let session = identity.name.as_deref().and_then(|name| access.session(app, name));
    let body = Json(me_of(identity));
    match session {
        Some(session) => (carry(cookie::set(Some(&session), headers)), body).into_response(),
        None => body.into_response(),
    }
}

/// Takes the cookie back. Answers the same when there is none.
#[utoipa::path(
    post, operation_id = "log_out", path = "/api/auth/logout", tag = "auth",
    responses((status = 204, description = "The cookie is gone")),
)]
pub(crate) async fn logout(
    State(app): State<App>,
    Extension(access): Extension<Arc<Access>>,
    Extension(Client(from)): Extension<Client>,
    headers: HeaderMap,
) -> Response {
    if let Some(identity) = cookie::find(&headers).and_then(|session| access.open_session(&app, session)) {
        let action = "POST /api/auth/logout";
        let (on, status) = ("/api/auth/logout", StatusCode::NO_CONTENT);
        Line { who: Some(&identity), action, on, from, status, result: "logged out" }.write();
    }
    (StatusCode::NO_CONTENT, carry(cookie::set(None, &headers))).into_response()
}

/// Lets the session last for 12 hours from now.
#[utoipa::path(
    post, operation_id = "refresh_session", path = "/api/auth/refresh", tag = "auth",
    responses((status = 200, body = Me), (status = 401, body = ErrorBody)),
)]
pub(crate) async fn refresh(
    State(app): State<App>,
    Extension(access): Extension<Arc<Access>>,
    Extension(identity): Extension<Identity>,
    headers: HeaderMap,
) -> Response {
    match identity.way {
        super::Way::Session => with_session(&app, &access, &identity, &headers),
        super::Way::Token | super::Way::Nobody => Json(me_of(&identity)).into_response(),
    }
}

/// Who the server takes the caller for.
#[utoipa::path(
    get, operation_id = "who_am_i", path = "/api/auth/me", tag = "auth",
    responses((status = 200, body = Me), (status = 401, body = ErrorBody)),
)]
pub(crate) async fn me(Extension(identity): Extension<Identity>) -> Json<Me> {
    Json(me_of(&identity))
}
