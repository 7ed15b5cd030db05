//! The web page, as it was built when this program was: files with their compressed forms, a policy that lets the page
//! load nothing from elsewhere, and its first document for every path that is not a file's.

mod files;

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};

use self::files::{FILES, File};

/// Everything comes from this server. `data:` is for icons inside style sheets.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const FIRST: &str = "index.html";
const WITHOUT_PAGE: &str = include_str!("without.html");

/// Answers every path that no route takes; `None` for those that belong to programs and not to the page.
pub(crate) fn answer(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Response> {
    let path = uri.path();
    let of_programs = ["/api", "/worker", "/hooks", "/mcp", "/healthz", "/metrics"]
        .iter()
        .any(|root| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    if of_programs || !matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    let name = path.trim_start_matches('/');
    if let Some(file) = find(name) {
        return Some(serve(file, headers));
    }
    // A missing script must not be answered with a document.
    if name.starts_with("assets/") {
        return None;
    }
    match find(FIRST) {
        Some(file) => Some(serve(file, headers)),
        None => Some(guarded((StatusCode::OK, [(header::CONTENT_TYPE, HTML)], WITHOUT_PAGE))),
    }
}

const HTML: &str = "text/html; charset=utf-8";

fn find(name: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.name == name)
}

fn serve(file: &'static File, headers: &HeaderMap) -> Response {
    // Names of assets hold a hash of what is in them; everything else is asked for again each time.
    let cache =
        if file.name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known.is_some_and(|known| known.split(',').any(|tag| tag.trim() == file.tag)) {
        guarded(StatusCode::NOT_MODIFIED)
    } else {
        let (encoding, bytes) = file.encoded(headers);
        let mut response = guarded(bytes);
        if let Some(encoding) = encoding {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    };
    for (name, value) in [
        (header::CONTENT_TYPE, content_type(file.name)),
        (header::CACHE_CONTROL, cache),
        (header::ETAG, file.tag),
        (header::VARY, "accept-encoding"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn guarded(response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => HTML,
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Option<Response> {
        answer(&Method::GET, &path.parse().expect("a path"), &HeaderMap::new())
    }

    #[test]
    fn the_page_takes_only_paths_that_no_program_calls() {
        for path in ["/api", "/api/jobz", "/worker/x", "/hooks/x", "/mcp", "/metrics", "/assets/gone.js"] {
            assert!(get(path).is_none(), "{path}");
        }
        for path in ["/", "/jobs", "/jobs/1", "/tasks/a/b", "/apiary"] {
            let response = get(path).expect("the page answers");
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(response.headers()[header::CONTENT_TYPE], HTML, "{path}");
            let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
            assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        }
        let path = "/".parse().expect("a path");
        assert!(answer(&Method::POST, &path, &HeaderMap::new()).is_none());
    }

    #[test]
    fn a_file_that_the_client_has_is_not_sent_again() {
        for file in FILES {
            let path: Uri = format!("/{}", file.name).parse().expect("a path");
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static(file.tag));
            let response = answer(&Method::GET, &path, &headers).expect("a file");
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{}", file.name);
        }
    }
}
