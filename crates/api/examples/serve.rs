use registry::*; use std::sync::Arc;
struct C; impl registry_core::clock::Clock for C { fn now(&self)->registry_core::clock::Timestamp { chrono::Utc::now() } }
#[actix_web::main]
async fn main() {
  let r = Registry::open("sqlite::memory:", Settings::default(), SealingRing::new(vec![SealingKey::generate().unwrap()]).unwrap(), Arc::new(C)).await.unwrap();
  r.migrate().await.unwrap();
  let k = r.create_api_key(&r.operator(), NewApiKey{name:"a".into(),role:registry_core::permission::Role::Admin,scopes:vec![],workspace:None,expires_at:None}).await.unwrap().key;
  std::fs::write("/tmp/h5.key", k).unwrap();
  let st = registry_api::ApiState{registry:r,metrics:Arc::new(String::new),limits:Default::default()};
  actix_web::HttpServer::new(move || { let st=st.clone(); actix_web::App::new().wrap(tracing_actix_web::TracingLogger::default()).configure(|c| registry_api::configure(c, st)) }).workers(1).bind(("127.0.0.1",18555)).unwrap().run().await.unwrap();
}
