//! The files of the page; the list is written by the build script from what `npm run build` left in `ui/dist/page`.

use axum::http::{HeaderMap, header};

/// A file with its compressed forms, when they are smaller.
pub(super) struct File {
    /// Its path below the page's root.
    pub(super) name: &'static str,
    /// A strong validator of its bytes, with its quotes.
    pub(super) tag: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/page.rs"));

impl File {
    /// The smallest form that the client takes, with the name of its encoding.
    pub(super) fn encoded(&self, headers: &HeaderMap) -> (Option<&'static str>, &'static [u8]) {
        let accepted =
            headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or("");
        let takes = |encoding: &str| {
            accepted.split(',').any(|part| {
                let (name, quality) = part.split_once(';').unwrap_or((part, ""));
                name.trim() == encoding && !matches!(quality.trim(), "q=0" | "q=0.0")
            })
        };
        match (self.brotli, self.gzip) {
            (Some(bytes), _) if takes("br") => (Some("br"), bytes),
            (_, Some(bytes)) if takes("gzip") => (Some("gzip"), bytes),
            _ => (None, self.plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_form_is_one_that_the_client_takes() {
        let file =
            File { name: "a.js", tag: "\"1\"", plain: b"plain", brotli: Some(b"br"), gzip: Some(b"gz") };
        for (accepted, expected) in [
            ("gzip, deflate, br", Some("br")),
            ("gzip;q=0.5", Some("gzip")),
            ("br;q=0, gzip", Some("gzip")),
            ("identity", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted));
            assert_eq!(file.encoded(&headers).0, expected, "{accepted}");
        }
        assert_eq!(file.encoded(&HeaderMap::new()), (None, b"plain".as_slice()));
    }
}
