//! Reports that a client does not work: one a minute, however many users meet the error.

use crate::registry::{Registry, RegistryError};
use crate::types::Reported;
use crate::{GatewayDocument, pause};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// After this time a second report is sent, which the registry may want.
const REPORT_INTERVAL: Duration = Duration::from_mins(1);
/// The errors that concern a client. Others are not reported: `invalid_grant` concerns one user's token.
const REPORTABLE: &[&str] = &["invalid_client", "unauthorized_client", "unknown_client", "issuer_changed"];
/// How often a report is sent that gets no answer.
const MAX_ATTEMPTS: u32 = 5;

type Sent = (Instant, Arc<OnceCell<Reported>>);

#[derive(Default)]
pub(crate) struct Reports {
    sent: Mutex<HashMap<String, Sent>>,
}

impl Reports {
    pub(crate) async fn send(
        &self,
        registry: &Registry,
        document: &GatewayDocument,
        error: &str,
        limits: (Duration, Duration),
    ) -> Result<Reported, RegistryError> {
        let Some(generation) = document.generation.filter(|_| REPORTABLE.contains(&error)) else {
            return Ok(Reported { verdict: "ignored".to_owned() });
        };
        let name = document.name();
        let cell = {
            let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
            sent.retain(|_, (at, _)| at.elapsed() < REPORT_INTERVAL);
            let key = format!("{name} {generation} {error}");
            sent.entry(key).or_insert_with(|| (Instant::now(), Arc::default())).1.clone()
        };
        let persistent = async || {
            for attempt in 0.. {
                match registry.report(&name, generation, error).await {
                    Err(failed) if passing(failed.status) && attempt + 1 < MAX_ATTEMPTS => {
                        tokio::time::sleep(pause::after(attempt, &failed, limits)).await;
                    }
                    told => return told,
                }
            }
            Err(RegistryError::no_answer("not sent"))
        };
        cell.get_or_try_init(persistent).await.cloned()
    }
}

fn passing(status: u16) -> bool {
    matches!(status, 0 | 429 | 500 | 502 | 503 | 504)
}
