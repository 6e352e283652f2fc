//! A vault that speaks as HashiCorp's KV engine, version 2, does; it holds one entry.

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A vault on its own port, up for as long as the tests run.
#[derive(Clone, Debug)]
pub struct FakeVault {
    /// `http://127.0.0.1:PORT`
    pub address: String,
    state: Arc<Mutex<VaultState>>,
}

/// What it holds and what it saw.
#[derive(Debug, Default)]
pub struct VaultState {
    /// The members of its entry.
    pub entry: Value,
    /// What it answers with, if not the entry: refusals repeat the entry, to see whether that gets anywhere.
    pub refuses: Option<u16>,
    /// Path and token of each request.
    pub asked: Vec<(String, String)>,
}

impl FakeVault {
    /// With this entry.
    pub fn start(entry: Value) -> Self {
        let state = Arc::new(Mutex::new(VaultState { entry, ..VaultState::default() }));
        let shared = web::Data::new(state.clone());
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = move || App::new().app_data(shared.clone()).default_service(web::to(answer));
                let server = HttpServer::new(app).workers(1).disable_signals();
                let server = server.bind(("127.0.0.1", 0)).expect("a free port");
                sender.send(server.addrs()[0]).expect("somebody waits");
                server.run().await.expect("a server");
            });
        });
        Self { address: format!("http://{}", receiver.recv().expect("an address")), state }
    }

    /// What it holds and saw.
    pub fn state(&self) -> MutexGuard<'_, VaultState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(request: HttpRequest, state: web::Data<Arc<Mutex<VaultState>>>) -> HttpResponse {
    let mut vault = state.lock().unwrap_or_else(PoisonError::into_inner);
    let token = request.headers().get("x-vault-token").and_then(|token| token.to_str().ok());
    vault.asked.push((request.path().to_owned(), token.unwrap_or_default().to_owned()));
    match vault.refuses.and_then(|status| status.try_into().ok()) {
        Some(status) => HttpResponse::build(status).json(json!({ "errors": [vault.entry] })),
        None => {
            HttpResponse::Ok().json(json!({ "data": { "data": vault.entry, "metadata": { "version": 3 } } }))
        }
    }
}
