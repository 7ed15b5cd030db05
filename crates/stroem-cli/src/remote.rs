//! How commands reach a server.

use std::sync::Arc;

use stroem_api::{ApiClient, HttpTransport};
use stroem_core::Secret;

use crate::failure::Failure;

/// Which server to ask.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct Remote {
    /// The server's address
    #[arg(
        long,
        env = "STROEM_URL",
        hide_env_values = true,
        default_value = "http://127.0.0.1:8080",
        value_name = "URL"
    )]
    server: String,

    /// The token to ask with, where the server wants one
    #[arg(long, env = "STROEM_TOKEN", hide_env_values = true, value_parser = token)]
    token: Option<Secret>,
}

impl Remote {
    pub(crate) fn client(&self) -> Result<ApiClient, Failure> {
        let transport =
            HttpTransport::new(&self.server).map_err(|error| Failure::usage(error.to_string()))?;
        Ok(ApiClient::new(Arc::new(transport), self.token.clone()))
    }
}

/// A server to ask, if one is named.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct MaybeRemote {
    /// A server: also warn of tags that none of its active workers has
    #[arg(long, env = "STROEM_URL", hide_env_values = true, value_name = "URL")]
    server: Option<String>,

    /// The token to ask with, where the server wants one
    #[arg(long, env = "STROEM_TOKEN", hide_env_values = true, value_parser = token)]
    token: Option<Secret>,
}

impl MaybeRemote {
    pub(crate) fn client(&self) -> Result<Option<ApiClient>, Failure> {
        // An empty variable is the usual way to unset one for a single command.
        let Some(server) = self.server.clone().filter(|server| !server.is_empty()) else { return Ok(None) };
        Remote { server, token: self.token.clone() }.client().map(Some)
    }
}

fn token(text: &str) -> Result<Secret, &'static str> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("a token is letters, digits and signs without spaces");
    }
    Ok(Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_must_fit_a_header() {
        assert!(token("abc-._~+/=").is_ok());
        for bad in ["", "a b", "a\n", "ä"] {
            assert!(token(bad).is_err(), "{bad:?}");
        }
    }
}
