//! How many connections each address has, and may have.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::party;

/// The connections that are open, by whose they are. There are never more entries than connections.
pub(super) struct Caps {
    most: Option<usize>,
    open: Open,
}

type Open = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// One connection, as long as it is open. That of nobody counts for nothing.
#[derive(Default)]
pub(super) struct Own(Option<(Open, IpAddr)>);

impl Caps {
    pub(super) fn new(most: Option<usize>) -> Caps {
        Caps { most, open: Open::default() }
    }

    /// One more of an address, if it may have it.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Own> {
        let Some(most) = self.most else { return Some(Own::default()) };
        let party = party(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.get(&party).is_some_and(|count| *count >= most) {
            return None;
        }
        *open.entry(party).or_default() += 1;
        drop(open);
        Some(Own(Some((self.open.clone(), party))))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let Some((open, party)) = self.0.take() else { return };
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&party) {
            *count -= 1;
            if *count == 0 {
                open.remove(&party);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_and_another_has_its_own() {
        let caps = Caps::new(Some(2));
        let [one, other]: [IpAddr; 2] = ["192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap()];
        let held = [caps.enter(one), caps.enter(one)];
        assert!(held.iter().all(Option::is_some));
        assert!(caps.enter(one).is_none() && caps.enter(other).is_some());
        drop(held);
        assert!(caps.enter(one).is_some());
        assert!(caps.open.lock().unwrap().is_empty(), "what is closed is forgotten");
    }

    #[test]
    fn a_network_of_version_6_is_one_address() {
        let caps = Caps::new(Some(1));
        let held = caps.enter("2001:db8:0:1::1".parse().unwrap());
        assert!(held.is_some() && caps.enter("2001:db8:0:1:ffff::2".parse().unwrap()).is_none());
        assert!(caps.enter("2001:db8:0:2::1".parse().unwrap()).is_some());
    }

    #[test]
    fn without_a_bound_there_is_none() {
        let caps = Caps::new(None);
        let held: Vec<_> = (0..1000).map(|_| caps.enter("::1".parse().unwrap())).collect();
        assert!(held.iter().all(Option::is_some));
    }
}
