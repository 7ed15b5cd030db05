//! Reads parts of a request, with errors of our shape.

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use serde::de::DeserializeOwned;
use stroem_core::JobId;

use crate::error::HttpError;

/// A job's id from the path.
pub(crate) fn job_id(text: &str) -> Result<JobId, HttpError> {
    text.parse()
        .map_err(|error: stroem_core::IdError| HttpError::bad_request("bad_job_id", error.to_string()))
}

/// Query parameters. Unknown ones are errors when the type denies them.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpError> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => Err(HttpError::bad_request("bad_query", error.body_text())),
        }
    }
}

/// Reads a JSON body; an empty one is the default. `expected` is what people should write.
pub(crate) fn read_body<T: serde::de::DeserializeOwned + Default>(
    body: &[u8],
    expected: &str,
) -> Result<T, HttpError> {
    if body.is_empty() {
        return Ok(T::default());
    }
    let refused =
        |error: String| HttpError::bad_request("bad_body", format!("the body is not {expected}: {error}"));
    // A list of values would do for the fields of an object.
    match serde_json::from_slice(body).map_err(|error| refused(error.to_string()))? {
        object @ serde_json::Value::Object(_) => {
            serde_json::from_value(object).map_err(|error| refused(error.to_string()))
        }
        _ => Err(refused("it is not an object".to_owned())),
    }
}
