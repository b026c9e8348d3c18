//! Who is at the other end of a connection.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::HeaderMap;
use axum::http::header::TRANSFER_ENCODING;

/// The other end of the connection that a request came by; each request has it among its extensions.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    two_lengths: Arc<AtomicBool>,
}

impl Peer {
    pub(super) fn new(address: IpAddr) -> Peer {
        Peer { address, two_lengths: Arc::default() }
    }

    /// Set when a request that says its length twice was read.
    pub(super) fn two_lengths(&self) -> Arc<AtomicBool> {
        self.two_lengths.clone()
    }

    /// Whether the request with these headers said its length in both ways, which two readers may take for two different bodies. Of the
    /// two, only one is left in the headers. Such a request is the last of its connection, so there is no other that could be meant.
    pub fn said_two_lengths(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(TRANSFER_ENCODING) && self.two_lengths.load(Ordering::Acquire)
    }
}

/// Whose an address is, where limits count by address: one of version 4, or a network of version 6, of which anybody has a whole one.
pub fn party(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_party_is_an_address_or_a_network() {
        let table = [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("::1", "::"),
        ];
        for (address, expected) in table {
            assert_eq!(party(address.parse().unwrap()).to_string(), expected);
        }
    }
}
