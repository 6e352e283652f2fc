//! OAuth documents. (Temporary shape by the lead so that dependants compile; the author of this folder replaces it.)
#![allow(missing_docs)]
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use crate::secret::Secret;
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adjustment { pub member: String, pub from: Value, pub to: Value, pub why: String }
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange { pub step: String, pub method: String, pub url: String }
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discovery { pub mcp_url: String, pub resource: String, pub issuer: String, pub metadata_url: String, pub metadata: Map<String, Value>, pub scopes: Vec<String> }
pub struct Server<'a>(&'a Discovery);
impl Server<'_> { pub fn registration_endpoint(&self) -> Option<&str> { self.0.metadata.get("registration_endpoint").and_then(Value::as_str) } }
impl Discovery { pub fn authorization_server(&self) -> Server<'_> { Server(self) } }
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass { Transient, Ambiguous, NeedsAdmin, Configuration, Security, Protocol }
#[derive(Clone, Debug)]
pub struct Failure { pub class: FailureClass, pub code: &'static str, pub message: String, pub retry_after: Option<u64>, pub error: Option<String>, pub error_description: Option<String> }
impl Failure { pub fn answer_lost() -> Self { todo!() } }
#[derive(Debug)]
pub struct Issued { pub client_id: String, pub client_secret: Option<Secret>, pub client_id_issued_at: Option<i64>, pub client_secret_expires_at: Option<i64>, pub token_endpoint_auth_method: String, pub registration_client_uri: Option<String>, pub registration_access_token: Option<Secret>, pub response: Map<String, Value>, pub warnings: Vec<String> }
