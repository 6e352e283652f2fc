//! An identity provider that says what the test wants, for everything a well-behaved one never does.

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// The key that RFC 8037 appendix A publishes, and another one made for these tests.
const KEYS: [(&str, &str, &str); 2] = [
    (
        "k1",
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n",
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    ),
    (
        "k2",
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINnOwWna3647k1kjgLrhM5eUFWmfO9Ck8xj4X7Fx1iQP\n-----END PRIVATE KEY-----\n",
        "hzup4q6yQ8GLYCumDIq5F8WhVWJU1Hl_dV94I1FUp0c",
    ),
];

/// What it does.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    /// Claims of the next ID token, over the usual ones; null takes one away.
    pub claims: Value,
    /// What the userinfo endpoint answers; null: there is none.
    pub userinfo: Value,
    /// Members of its metadata, over the usual ones.
    pub metadata: Value,
    /// Which of its keys signs.
    pub key: usize,
    /// Which of its keys its key set holds.
    pub published: Vec<usize>,
    /// Header parameters that its tokens call critical (RFC 7515 §4.1.11); empty: none.
    pub critical: Vec<String>,
    /// Whether it answers everything with 503.
    pub down: bool,
    /// What the token endpoint got last.
    pub redeemed: BTreeMap<String, String>,
    /// How often its key set was fetched.
    pub key_set_fetched: usize,
}

/// The provider, on its own port.
pub struct FakeProvider {
    /// Its issuer.
    pub issuer: String,
    behaviour: Arc<Mutex<Behaviour>>,
}

impl FakeProvider {
    /// Starts it.
    pub fn start() -> Self {
        let behaviour = Arc::new(Mutex::new(Behaviour { published: vec![0], ..Behaviour::default() }));
        let (sender, receiver) = std::sync::mpsc::channel();
        let shared = web::Data::new(behaviour.clone());
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    App::new().app_data(shared.clone()).default_service(web::to(answer))
                });
                let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).expect("a free port");
                sender.send(server.addrs()[0]).expect("the test waits for it");
                server.run().await.expect("the server ends well");
            });
        });
        let address = receiver.recv().expect("the server started");
        Self { issuer: format!("http://{address}"), behaviour }
    }

    /// Looks at what it does, or changes it.
    pub fn does(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().expect("no test panics with it")
    }

    /// A token with these claims, signed by the key that signs now.
    pub fn sign(&self, claims: &Value) -> String {
        let does = self.does();
        sign(does.key, &does.critical, claims)
    }
}

fn sign(key: usize, critical: &[String], claims: &Value) -> String {
    let (id, pem, _) = KEYS[key];
    let crit = (!critical.is_empty()).then(|| critical.to_vec());
    let header = Header { kid: Some(id.to_owned()), crit, ..Header::new(Algorithm::EdDSA) };
    encode(&header, claims, &EncodingKey::from_ed_pem(pem.as_bytes()).expect("a key")).expect("a token")
}

fn merged(mut usual: Value, over: &Value) -> Value {
    for (name, value) in over.as_object().into_iter().flatten() {
        if value.is_null() {
            usual.as_object_mut().expect("an object").remove(name);
        } else {
            usual[name] = value.clone();
        }
    }
    usual
}

async fn answer(
    request: HttpRequest,
    body: String,
    behaviour: web::Data<Arc<Mutex<Behaviour>>>,
) -> HttpResponse {
    let mut behaviour = behaviour.lock().expect("no test panics with it");
    let issuer = format!("http://{}", request.connection_info().host());
    if behaviour.down {
        return HttpResponse::ServiceUnavailable().finish();
    }
    match request.path() {
        "/.well-known/openid-configuration" => {
            let usual = json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
                "jwks_uri": format!("{issuer}/keys"),
            });
            let usual = if behaviour.userinfo.is_null() {
                usual
            } else {
                merged(usual, &json!({ "userinfo_endpoint": format!("{issuer}/userinfo") }))
            };
            HttpResponse::Ok().json(merged(usual, &behaviour.metadata))
        }
        "/keys" => {
            behaviour.key_set_fetched += 1;
            let key = |key: &usize| json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": KEYS[*key].0, "x": KEYS[*key].2 });
            // Real key sets contain keys of unsupported types.
            let odd = json!({ "kty": "unknown", "kid": "odd" });
            let keys: Vec<_> = std::iter::once(odd).chain(behaviour.published.iter().map(key)).collect();
            HttpResponse::Ok().json(json!({ "keys": keys }))
        }
        "/token" => {
            behaviour.redeemed =
                url::form_urlencoded::parse(body.as_bytes()).into_owned().collect::<BTreeMap<_, _>>();
            if let Some(header) = request.headers().get("authorization") {
                let header = header.to_str().expect("text").to_owned();
                behaviour.redeemed.insert("authorization".to_owned(), header);
            }
            let now = jsonwebtoken::get_current_timestamp();
            let usual = json!({
                "iss": issuer, "aud": "mcp-registry", "sub": "user-1", "iat": now, "exp": now + 600,
                "email": "grace@acme.com", "email_verified": true, "groups": ["platform"],
            });
            let token = sign(behaviour.key, &behaviour.critical, &merged(usual, &behaviour.claims));
            HttpResponse::Ok()
                .json(json!({ "id_token": token, "access_token": "at", "token_type": "Bearer" }))
        }
        "/userinfo" => HttpResponse::Ok().json(&behaviour.userinfo),
        _ => HttpResponse::NotFound().finish(),
    }
}
