//! One bare GET, to see whether anything answers.

use crate::answer::Wanted;
use crate::fetch::Traced;
use crate::guard::{Asked, Guarded};
use registry_core::oauth::Exchange;
use reqwest::Method;
use std::time::Instant;

/// Asks `url` once. Any status is an answer; without one the note says why there is none. Nothing is followed or read.
pub async fn reach(guarded: &Guarded, url: &str) -> Exchange {
    let mut upstream = Traced { guarded: guarded.clone(), trace: Vec::new() };
    let asked = Asked { wanted: Wanted::Headers, ..Asked::plain(Method::GET, url) };
    let started = Instant::now();
    match guarded.send(&asked).await {
        Ok(answer) => upstream.record("reach", "GET", url, started, Some(&answer), "It answered."),
        Err(trouble) => {
            upstream.lost("reach", "GET", url, started, trouble);
        }
    }
    upstream.trace.pop().unwrap_or_default()
}
