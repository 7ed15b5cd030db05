//! What a configuration says of tokens.

use crate::fixture::config;

#[track_caller]
fn refused(text: &str, expected: &str) {
    let error = config(text).map(|_| ()).expect_err(text);
    assert!(error.contains(expected), "{text}: {error}");
}

#[test]
fn a_token_that_cannot_be_meant_is_refused_with_the_remedy() {
    let tokens = |text: &str| format!("auth: {{tokens: {{{text}}}}}");
    refused("auth: {}", "`auth.tokens` is missing");
    refused(&tokens(""), "leave `auth` out");
    refused(&tokens("a: {token: 0123456789abcdef}"), "`auth.tokens.a.role` is missing");
    refused(&tokens("a: {token: 0123456789abcdef, role: owner}"), "`read`, `run`, `admin`");
    refused(&tokens("a: {token: short, role: read}"), "openssl rand -hex 32");
    refused(&tokens("a: {role: read}"), "exactly one of `token` and `sha256`");
    refused(&tokens("a: {sha256: abc, role: read}"), "sha256sum");
    refused(&tokens("'a b': {token: 0123456789abcdef, role: read}"), "this is not a name");
    let twice = "a: {token: 0123456789abcdef, role: read}, b: {token: 0123456789abcdef, role: admin}";
    refused(&tokens(twice), "`a` has the same token");
    refused(
        "auth: {tokens: {a: {token: 0123456789abcdef, role: read}}, trusted_proxies: [proxy]}",
        "10.0.0.0/8",
    );
}

#[test]
fn no_token_is_shown_by_its_configuration_or_by_an_error() {
    let token = "a-long-and-secret-token";
    let shown = format!("{:?}", config(&format!("auth: {{tokens: {{a: {{token: {token}, role: admin}}}}}}")));
    assert!(!shown.contains(token), "{shown}");
    refused(&format!("auth: {{tokens: {{a: {{token: {token}, role: admin, sha256: x}}}}}}"), "sha256sum");
    let error = config(&format!("auth: {{tokens: {{a: {{tokn: {token}, role: admin}}}}}}")).map(|_| ());
    assert!(!error.expect_err("refused").contains(token));
}

#[test]
fn the_documented_configuration_of_access_loads() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/deploy/access.md");
    let page = std::fs::read_to_string(page).expect("a page");
    let begin = "```yaml test=the_documented_configuration_of_access_loads\n";
    let (block, _) = page.split_once(begin).and_then(|(_, rest)| rest.split_once("```")).expect("a block");
    let config = config(block).expect("it loads");
    assert!(config.auth.is_configured());
}
