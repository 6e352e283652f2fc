//! How much of something that is bounded one address may hold at the same time: whoever takes their time on one machine must
//! not keep everybody else out.

use crate::sign_in_limits::network;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// One address has at most every so manieth.
const SHARE: usize = 4;

/// Counts what each address holds (of IPv6 each /64). Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shares {
    most: usize,
    held: Arc<Mutex<HashMap<String, usize>>>,
}

/// One that is held, until this is dropped.
#[derive(Debug)]
pub struct Share {
    address: String,
    held: Arc<Mutex<HashMap<String, usize>>>,
}

impl Shares {
    /// Of so many in all.
    pub fn of(all: usize) -> Self {
        Self { most: (all / SHARE).max(1), held: Arc::default() }
    }

    /// Takes one for an address; `None` when it has its share.
    pub fn take(&self, address: Option<IpAddr>) -> Option<Share> {
        let address = address.map(|address| network(&address.to_string())).unwrap_or_default();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(address.clone()).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        drop(held);
        Some(Share { address, held: self.held.clone() })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.address);
            }
        }
    }
}
