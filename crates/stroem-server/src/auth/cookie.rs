//! The page's cookie.

use http::{HeaderMap, HeaderValue, header};
use stroem_core::Secret;

use super::tokens::SESSION_SECONDS;

const NAME: &str = "stroem_session";

/// The session that a request carries.
pub(super) fn find(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, value)| *name == NAME && !value.is_empty()).map(|(_, value)| value)
}

/// Hands out a session that scripts cannot read and other sites cannot send, or takes it back.
pub(super) fn set(session: Option<&Secret>, headers: &HeaderMap) -> HeaderValue {
    let (value, seconds) = session.map_or(("", 0), |session| (session.expose(), SESSION_SECONDS));
    // Behind a proxy that speaks TLS the cookie never leaves without it.
    let over_tls = headers.get("x-forwarded-proto").is_some_and(|value| value.as_bytes() == b"https");
    let secure = if over_tls { "; Secure" } else { "" };
    let text = format!("{NAME}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    let mut value = HeaderValue::from_str(&text).expect("hexadecimal digits are a header");
    value.set_sensitive(true);
    value
}
