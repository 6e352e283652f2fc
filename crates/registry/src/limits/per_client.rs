//! How much of something that is bounded one address may hold at the same time: whoever takes their time on one machine must
//! not keep everybody else out, and neither must a few that do it together.
//!
//! An address gets another one only while it holds less than a third of what is free. So one address alone has at most a
//! quarter, four have a seventh each, a hundred have less than a hundredth each, and something is always left for an
//! address that holds little (dynamic thresholds, Choudhury and Hahne 1998).

use crate::limits::sign_in::network;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// So much more must be free than an address holds.
const FREE: usize = 3;

/// Counts what each address holds (of IPv6 each /64). Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shares {
    all: usize,
    held: Arc<Mutex<Held>>,
}

/// What is held, by address and in all.
#[derive(Debug, Default)]
struct Held {
    each: HashMap<String, usize>,
    total: usize,
}

/// One that is held, until this is dropped.
#[derive(Debug)]
pub struct Share {
    address: String,
    held: Arc<Mutex<Held>>,
}

impl Shares {
    /// Of so many in all.
    pub fn of(all: usize) -> Self {
        Self { all: all.max(1), held: Arc::default() }
    }

    /// Takes one for an address; `None` when it has its share.
    pub fn take(&self, address: Option<IpAddr>) -> Option<Share> {
        let address = address.map(|address| network(&address.to_string())).unwrap_or_default();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.each.get(&address).copied().unwrap_or_default();
        if count.saturating_mul(FREE) >= self.all.saturating_sub(held.total) {
            return None;
        }
        held.each.insert(address.clone(), count + 1);
        held.total += 1;
        drop(held);
        Some(Share { address, held: self.held.clone() })
    }
}

impl Drop for Share {
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

    fn fill(shares: &Shares, addresses: u8) -> Vec<Vec<Share>> {
        let mut held: Vec<Vec<Share>> = (0..addresses).map(|_| Vec::new()).collect();
        loop {
            let before: usize = held.iter().map(Vec::len).sum();
            for (last, mine) in held.iter_mut().enumerate() {
                let last = u8::try_from(last).unwrap_or_default();
                mine.extend(shares.take(Some(IpAddr::from([192, 0, 2, last]))));
            }
            if held.iter().map(Vec::len).sum::<usize>() == before {
                return held;
            }
        }
    }

    #[test]
    fn however_many_take_all_they_can_something_is_left_for_the_next() {
        for (addresses, at_most) in [(1, 2500), (4, 1430), (5, 1251), (100, 98), (250, 40)] {
            let shares = Shares::of(10_000);
            let held = fill(&shares, addresses);
            assert!(held.iter().all(|mine| mine.len() <= at_most), "{addresses}: {}", held[0].len());
            let fresh = IpAddr::from([198, 51, 100, 1]);
            let next: Vec<_> = (0..10).map_while(|_| shares.take(Some(fresh))).collect();
            assert_eq!(next.len(), 10, "{addresses}");
            drop(held);
            assert_eq!(shares.held.lock().unwrap_or_else(PoisonError::into_inner).total, 10);
        }
    }
}
