//! Who is calling.

use axum::extract::FromRequestParts;
use http::{header, request::Parts};
use stroem_app::{App, AppError, WorkerRow};

use crate::error::HttpError;

/// The bearer token of a request.
pub(crate) struct Bearer(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Bearer {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, HttpError> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        match header.and_then(|value| value.strip_prefix("Bearer ")) {
            Some(token) => Ok(Self(token.to_owned())),
            None => Err(AppError::NoSession.into()),
        }
    }
}

/// A registered worker, by its session token.
pub(crate) struct Session(pub(crate) WorkerRow);

impl FromRequestParts<App> for Session {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, HttpError> {
        let Bearer(token) = Bearer::from_request_parts(parts, app).await?;
        Ok(Self(app.session(&token).await?))
    }
}
