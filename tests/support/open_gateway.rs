//! What the open gateway answers to `POST /sync`, as a server of a test's own.

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A gateway on its own port, up for as long as the tests run.
#[derive(Clone, Debug)]
pub struct FakeOpenGateway {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    state: Arc<Mutex<OpenGatewayState>>,
}

/// What it answers and what it was told.
#[derive(Debug, Default)]
pub struct OpenGatewayState {
    /// What it answers with, if not success.
    pub refuses: Option<u16>,
    /// How many errors it says that it had.
    pub errors: u64,
    /// Credential and body of each request that it took.
    pub told: Vec<(String, Value)>,
}

impl OpenGatewayState {
    /// The servers that it was told of, as `workspace/server`, in order.
    pub fn servers(&self) -> Vec<String> {
        let named =
            self.told.iter().flat_map(|(_, body)| body["mcpServersV2"].as_array().into_iter().flatten());
        named
            .map(|one| {
                let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
                format!("{}/{}", text("workspace_id"), text("slug"))
            })
            .collect()
    }
}

impl FakeOpenGateway {
    /// One that takes everything.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(OpenGatewayState::default()));
        let shared = web::Data::new(state.clone());
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = move || {
                    App::new()
                        .app_data(shared.clone())
                        .app_data(web::JsonConfig::default().limit(4 << 20))
                        .route("/sync", web::post().to(answer))
                };
                let server = HttpServer::new(app).workers(1).disable_signals();
                let server = server.bind(("127.0.0.1", 0)).expect("a free port");
                sender.send(server.addrs()[0]).expect("somebody waits");
                server.run().await.expect("a server");
            });
        });
        Self { url: format!("http://{}", receiver.recv().expect("an address")), state }
    }

    /// What it answers and what it was told.
    pub fn state(&self) -> MutexGuard<'_, OpenGatewayState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(
    request: HttpRequest,
    body: web::Json<Value>,
    state: web::Data<Arc<Mutex<OpenGatewayState>>>,
) -> HttpResponse {
    let mut gateway = state.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(status) = gateway.refuses.and_then(|status| status.try_into().ok()) {
        return HttpResponse::build(status).json(json!({ "success": false }));
    }
    let credential = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    gateway.told.push((credential.unwrap_or_default().to_owned(), body.into_inner()));
    let summary = json!({ "success": gateway.errors == 0, "summary": { "total_errors": gateway.errors } });
    if gateway.errors > 0 {
        HttpResponse::MultiStatus().json(summary)
    } else {
        HttpResponse::Ok().json(summary)
    }
}
