//! `auth` of `server-config.yaml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use stroem_config::{Key, Kind, Schema};
use stroem_core::Secret;

use super::{
    AuthOptions,
    address::Network,
    tokens::{KnownToken, Role, hash},
};

/// The shortest token, in characters: below it a hash could be guessed from.
const SHORTEST: usize = 16;

const HASH: Kind = Kind::Checked {
    what: "64 hexadecimal digits",
    rule: |text| {
        let is_hash = hex::decode(text).is_ok_and(|bytes| bytes.len() == 32);
        if is_hash { Ok(()) } else { Err("write what `printf %s TOKEN | sha256sum` prints".to_owned()) }
    },
};
const NETWORK: Kind = Kind::Checked {
    what: "an address or a network such as 10.0.0.0/8",
    rule: |text| Network::parse(text).map(drop),
};

/// The section.
pub(crate) static AUTH: Schema = Schema {
    keys: &[
        Key::new(
            "tokens",
            Kind::Named(&Kind::Section(&TOKEN)),
            "Tokens by the name of who has them. With one of them page and API are closed without a token.",
        )
        .required(),
        Key::new(
            "trusted_proxies",
            Kind::List(&NETWORK),
            "Proxies whose `X-Forwarded-For` is believed: wrong tokens are counted, and lines of audit written, by the \
             address that they name.",
        )
        .or("[]"),
    ],
};

static TOKEN: Schema = Schema {
    keys: &[
        Key::new("token", Kind::Secret, "The token, at least 16 characters; only its hash stays in memory."),
        Key::new(
            "sha256",
            HASH,
            "The SHA-256 of the token in its place, so that this file does not hold it.",
        ),
        Key::new(
            "role",
            Kind::Choice(Role::ALL),
            "`read` looks, `run` also runs and cancels jobs, `admin` may all.",
        )
        .required(),
    ],
};

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenAuth {
    tokens: BTreeMap<String, WrittenToken>,
    trusted_proxies: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenToken {
    token: Option<Secret>,
    sha256: Option<String>,
    role: Role,
}

/// What is meant; the errors are a sentence and a remedy each.
pub(crate) fn read(written: Option<WrittenAuth>) -> Result<AuthOptions, Vec<(String, &'static str)>> {
    let Some(written) = written else { return Ok(AuthOptions::default()) };
    let mut problems = Vec::new();
    if written.tokens.is_empty() {
        let message = "auth.tokens: there is none, so nobody could come in".to_owned();
        problems.push((message, "name at least one token, or leave `auth` out"));
    }
    let mut tokens: Vec<KnownToken> = Vec::new();
    for (name, written) in written.tokens {
        let place = format!("auth.tokens.{name}");
        let good = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
        if name.is_empty() || name.len() > 64 || !name.chars().all(good) {
            let remedy = "names have 1 to 64 letters, digits, `-`, `_`, `.` and `@`";
            problems.push((format!("{place}: this is not a name"), remedy));
            continue;
        }
        let hash = match hash_of(&written) {
            Ok(hash) => hash,
            Err((message, remedy)) => {
                problems.push((format!("{place}: {message}"), remedy));
                continue;
            }
        };
        if let Some(other) = tokens.iter().find(|token| token.hash == hash) {
            let message = format!("{place}: `{}` has the same token", other.name);
            problems.push((message, "give each name its own, or nobody can tell who did what"));
        }
        tokens.push(KnownToken { name, role: written.role, hash });
    }
    let networks = written.trusted_proxies.iter().map(|text| Network::parse(text));
    let trusted_proxies = networks.collect::<Result<_, _>>().expect("the table checked them");
    if problems.is_empty() { Ok(AuthOptions { tokens, trusted_proxies }) } else { Err(problems) }
}

fn hash_of(written: &WrittenToken) -> Result<[u8; 32], (String, &'static str)> {
    match (&written.token, &written.sha256) {
        (Some(token), None) if token.expose().chars().count() < SHORTEST => Err((
            format!("the token has fewer than {SHORTEST} characters"),
            "make one with `openssl rand -hex 32`",
        )),
        (Some(token), None) => Ok(hash(token.expose().as_bytes())),
        (None, Some(text)) => {
            let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
            Ok(bytes.expect("the table checked it"))
        }
        _ => Err(("exactly one of `token` and `sha256` must be there".to_owned(), "keep one of them")),
    }
}
