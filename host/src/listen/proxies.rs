//! The proxies that are believed when they say for whom they ask.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The networks that listed proxies are in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies(Vec<IpNet>);

/// The header in which proxies say for whom they ask, each after those before it.
const FORWARDED_FOR: &str = "x-forwarded-for";

impl Proxies {
    /// Reads addresses and networks, like `::1` and `10.0.0.0/8`. The error is the one that is neither.
    pub fn parse(texts: &[String]) -> Result<Proxies, String> {
        let net = |text: &String| {
            let read = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            read.map_err(|_| format!("{text:?} is neither an address nor a network: write it like 10.0.0.0/8 or ::1"))
        };
        texts.iter().map(net).collect::<Result<_, _>>().map(Proxies)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an address is in the list.
    pub fn list(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|net| net.contains(&address))
    }

    /// Who asks: the peer, unless it is listed. Then it is whom the nearest of the listed ones says it asks for; what stands further left
    /// anybody can have written.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.list(client) {
            return client;
        }
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        for hop in lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',')) {
            // Beyond what cannot be read nothing is believed.
            let Some(address) = address(hop) else { break };
            client = address;
            if !self.list(client) {
                break;
            }
        }
        client
    }
}

/// An address as proxies write it: some with its port.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn client(peer: &str, lines: &[&str]) -> String {
        client_of_bytes(peer, &lines.iter().map(|line| line.as_bytes()).collect::<Vec<_>>())
    }

    fn client_of_bytes(peer: &str, lines: &[&[u8]]) -> String {
        let proxies = Proxies::parse(&["10.0.0.0/8".to_owned(), "::1".to_owned()]).unwrap();
        let value = |line: &[u8]| HeaderValue::from_bytes(line).unwrap();
        let headers = lines.iter().map(|line| (HeaderName::from_static(FORWARDED_FOR), value(line)));
        proxies.client(peer.parse().unwrap(), &headers.collect()).to_string()
    }

    #[test]
    fn only_who_is_listed_is_believed() {
        assert_eq!(client("192.0.2.1", &["198.51.100.1"]), "192.0.2.1");
        assert_eq!(client("10.1.2.3", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("::ffff:10.1.2.3", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("::1", &["2001:db8::7"]), "2001:db8::7");
    }

    #[test]
    fn it_is_the_rightmost_that_is_not_listed() {
        assert_eq!(client("10.0.0.1", &["203.0.113.9, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["203.0.113.9", "198.51.100.1,10.0.0.2", "10.0.0.3"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["10.0.0.9, 10.0.0.2"]), "10.0.0.9", "a client may be inside");
    }

    #[test]
    fn nonsense_hides_nobody() {
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.1, unknown"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.1, unknown, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(client("10.0.0.1", &[""]), "10.0.0.1");
    }

    #[test]
    fn bytes_that_are_no_text_hide_nobody_to_their_right() {
        let client = |lines: &[&[u8]]| client_of_bytes("10.0.0.1", lines);
        assert_eq!(client(&[b"\xff, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(client(&[b"\xff", b"198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(client(&[b"203.0.113.9, \xff, 10.0.0.2"]), "10.0.0.2", "beyond them nothing is believed");
    }

    #[test]
    fn ports_are_no_part_of_an_address() {
        assert_eq!(client("10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["[2001:db8::7]:4711"]), "2001:db8::7");
        assert_eq!(client("10.0.0.1", &["[2001:db8::7]"]), "2001:db8::7");
    }

    #[test]
    fn what_is_no_network_is_told() {
        let told = Proxies::parse(&["10.0.0.0/8".to_owned(), "proxy.example".to_owned()]).unwrap_err();
        assert!(told.starts_with("\"proxy.example\" is neither"), "{told}");
    }
}
