//! Where a request comes from: the connection's other end, or, when that is a proxy that is trusted, who it names.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{Extensions, HeaderMap};

use super::Access;

/// An address, or all that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// `10.0.0.0/8`, or one address; the error says what is meant.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let remedy = || "write an address such as 10.1.2.3, or a network such as 10.0.0.0/8".to_owned();
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| remedy())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| remedy())?;
        if bits > most { Err(remedy()) } else { Ok(Self { address, bits }) }
    }

    fn holds(self, other: IpAddr) -> bool {
        let (own, other, width) = match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (u128::from(own.to_bits()), u128::from(other.to_bits()), 32)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits(), other.to_bits(), 128),
            _ => return false,
        };
        self.bits == 0 || (own ^ other) >> (width - u32::from(self.bits)) == 0
    }
}

impl Access {
    /// None for a request from this process.
    pub(super) fn client(&self, extensions: &Extensions, headers: &HeaderMap) -> Option<IpAddr> {
        let mut client = extensions.get::<ConnectInfo<SocketAddr>>()?.0.ip().to_canonical();
        let hops = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let hops: Vec<&str> = hops.flat_map(|value| value.split(',')).map(str::trim).collect();
        // The last hop is what the nearest proxy saw; those before it are somebody else's words.
        for hop in hops.iter().rev() {
            if !self.trusted_proxies.iter().any(|network| network.holds(client)) {
                break;
            }
            let Ok(named) = hop.parse::<IpAddr>() else { break };
            client = named.to_canonical();
        }
        Some(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::AuthOptions;

    fn client(trusted: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let trusted_proxies = trusted.iter().map(|text| Network::parse(text).expect("a network")).collect();
        let access = Access::new(&AuthOptions { trusted_proxies, ..AuthOptions::default() }, false);
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().expect("an address"), 1)));
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().expect("a value"));
        }
        access.client(&extensions, &headers).expect("somewhere").to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(client(&[], "10.0.0.9", &["1.2.3.4"]), "10.0.0.9");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.9", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(client(&["10.0.0.0/8"], "11.0.0.9", &["1.2.3.4"]), "11.0.0.9");
        // What a client writes itself stands before what the proxy adds.
        assert_eq!(client(&["10.0.0.9"], "10.0.0.9", &["6.6.6.6, 1.2.3.4"]), "1.2.3.4");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.9", &["6.6.6.6", "1.2.3.4, 10.0.0.7"]), "1.2.3.4");
        assert_eq!(client(&["::1"], "::1", &["nonsense"]), "::1");
        assert_eq!(client(&["127.0.0.0/8"], "::ffff:127.0.0.1", &["2001:db8::1"]), "2001:db8::1");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "proxy", "10.0.0.0/33", "10.0.0.0/x", "10.0.0"] {
            assert!(Network::parse(text).is_err(), "{text}");
        }
    }
}
