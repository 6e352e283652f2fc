//! Limits how much of a shared resource (requests, connections) one client address may hold at the same time: one slow
//! client, or a few together, must not exhaust it.
//!
//! An address gets another permit only while it holds less than a third of the free permits. So one address alone has
//! at most a quarter, four have a seventh each, a hundred have less than a hundredth each, and a permit is always left
//! for an address that holds few (dynamic thresholds, Choudhury and Hahne 1998).

use crate::limits::sign_in::network;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// So many times what an address holds must be free.
const FREE_FACTOR: usize = 3;

/// Counts the permits of each address (IPv6: of each /64). Cheap to clone.
#[derive(Clone, Debug)]
pub struct PerClientLimit {
    all: usize,
    held: Arc<Mutex<Held>>,
}

/// Permits in use, by address and in total.
#[derive(Debug, Default)]
struct Held {
    each: HashMap<String, usize>,
    total: usize,
}

/// A permit; returned when it is dropped.
#[derive(Debug)]
pub struct Permit {
    address: String,
    held: Arc<Mutex<Held>>,
}

impl PerClientLimit {
    /// A limit with `all` permits in total.
    pub fn of(all: usize) -> Self {
        Self { all: all.max(1), held: Arc::default() }
    }

    /// Takes a permit for an address; `None`: the address has its share.
    pub fn take(&self, address: Option<IpAddr>) -> Option<Permit> {
        let address = address.map(|address| network(&address.to_string())).unwrap_or_default();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.each.get(&address).copied().unwrap_or_default();
        if count.saturating_mul(FREE_FACTOR) >= self.all.saturating_sub(held.total) {
            return None;
        }
        held.each.insert(address.clone(), count + 1);
        held.total += 1;
        drop(held);
        Some(Permit { address, held: self.held.clone() })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.total -= 1;
        if let Some(count) = held.each.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                held.each.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(limit: &PerClientLimit, addresses: u8) -> Vec<Vec<Permit>> {
        let mut held: Vec<Vec<Permit>> = (0..addresses).map(|_| Vec::new()).collect();
        loop {
            let before: usize = held.iter().map(Vec::len).sum();
            for (last, mine) in held.iter_mut().enumerate() {
                let last = u8::try_from(last).unwrap_or_default();
                mine.extend(limit.take(Some(IpAddr::from([192, 0, 2, last]))));
            }
            if held.iter().map(Vec::len).sum::<usize>() == before {
                return held;
            }
        }
    }

    #[test]
    fn new_address_gets_permits_when_others_take_all_they_can() {
        for (addresses, at_most) in [(1, 2500), (4, 1430), (5, 1251), (100, 98), (250, 40)] {
            let limit = PerClientLimit::of(10_000);
            let held = fill(&limit, addresses);
            assert!(held.iter().all(|mine| mine.len() <= at_most), "{addresses}: {}", held[0].len());
            let fresh = IpAddr::from([198, 51, 100, 1]);
            let next: Vec<_> = (0..10).map_while(|_| limit.take(Some(fresh))).collect();
            assert_eq!(next.len(), 10, "{addresses}");
            drop(held);
            assert_eq!(limit.held.lock().unwrap_or_else(PoisonError::into_inner).total, 10);
        }
    }
}
