//! LiteLLM: `/v1/mcp/server` of its proxy. It needs a database; the servers of its configuration file are listed and left alone.

use super::admin_api::{AdminApi, AdminError};
use super::mark::Mark;
use super::target::{Entry, Listed, TargetGateway};
use super::upstream::Upstream;
use futures_util::future::BoxFuture;
use reqwest::Method;
use serde_json::{Map, Value, json};

const SERVERS: &str = "/v1/mcp/server";
/// The member of `mcp_info` that holds the mark; LiteLLM keeps members that it does not know.
const MARK: &str = "mcp_registry";
/// Members whose change makes it clear others.
const UPSTREAM: [&str; 3] = ["url", "issuer", "auth_type"];
/// Updates for one change of these; three suffice.
const MAX_REPEATS: usize = 5;

/// A LiteLLM proxy.
pub(crate) struct LiteLlm {
    api: AdminApi,
}

impl LiteLlm {
    /// The proxy behind this API; its token is the master key or a key of a proxy admin.
    pub(crate) fn new(api: AdminApi) -> Self {
        Self { api }
    }

    /// The server as it is then.
    async fn put(&self, body: &Value) -> Result<Value, AdminError> {
        self.api.call(Method::PUT, SERVERS, Some(body)).await
    }
}

/// Its own separator of server and tool is `-`, which names must not contain.
pub(super) fn name_for(upstream: &Upstream, suffix: Option<&str>) -> String {
    let name = format!("{}_{}", upstream.workspace, upstream.server).replace('-', "_");
    match suffix {
        Some(suffix) => format!("{name}_{suffix}"),
        None => name,
    }
}

/// The members for one server, alike in the admin API and in its configuration file.
pub(super) fn members(upstream: &Upstream) -> Map<String, Value> {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("description", json!(format!("{} of MCP Registry", upstream.name())));
    put("url", json!(upstream.url));
    put("transport", json!(if upstream.sse { "sse" } else { "http" }));
    put("static_headers", json!(upstream.headers));
    put("extra_headers", json!(upstream.forwarded));
    put("allowed_tools", json!(upstream.allowed_tools.as_deref().unwrap_or_default()));
    // An update leaves what is not named as it was: so everything is named.
    let Some(oauth) = &upstream.oauth else {
        put("auth_type", json!("none"));
        for name in
            ["authorization_url", "token_url", "registration_url", "issuer", "oauth2_flow", "credentials"]
        {
            put(name, Value::Null);
        }
        return members;
    };
    put("auth_type", json!("oauth2"));
    put("authorization_url", json!(oauth.authorization_endpoint));
    put("token_url", json!(oauth.token_endpoint));
    // It must not register a client of its own.
    put("registration_url", Value::Null);
    // With an issuer it discovers the endpoints again, and uses those of the registry no more; without one it refuses answers
    // that name their issuer (RFC 9207).
    put("issuer", if oauth.names_issuer { json!(oauth.issuer) } else { Value::Null });
    let flow = if oauth.client_credentials { "client_credentials" } else { "authorization_code" };
    put("oauth2_flow", json!(flow));
    put(
        "credentials",
        json!({
            "client_id": oauth.client_id,
            "client_secret": oauth.client_secret,
            "token_endpoint_auth_method": oauth.auth_method,
            "scopes": oauth.scopes,
        }),
    );
    members
}

impl TargetGateway for LiteLlm {
    fn name_for(&self, upstream: &Upstream, suffix: Option<&str>) -> String {
        name_for(upstream, suffix)
    }

    fn name_key(&self, name: &str) -> String {
        name.to_lowercase()
    }

    fn entry(&self, upstream: &Upstream, name: String) -> Result<Entry, String> {
        let mut members = members(upstream);
        members.insert("server_name".to_owned(), json!(name));
        members.insert("alias".to_owned(), json!(name));
        let mut notes = upstream.notes.clone();
        notes.extend(callback_note(upstream));
        Ok(Entry { name, members, notes })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>, AdminError>> {
        Box::pin(async {
            let answer = self.api.call(Method::GET, SERVERS, None).await?;
            let list =
                answer.as_array().ok_or_else(|| AdminError::unexpected("LiteLLM sent no list of servers"))?;
            Ok(list.iter().map(listed).collect())
        })
    }

    fn create<'a>(&'a self, entry: &'a Entry, mark: &'a Mark) -> BoxFuture<'a, Result<(), AdminError>> {
        Box::pin(async move {
            let mut body = marked(entry, mark);
            // One id for one server, so that of two programs that make it at the same time one is refused.
            body["server_id"] = json!(format!("mcp-registry-{}-{}", mark.owner, mark.server));
            self.api.call(Method::POST, SERVERS, Some(&body)).await.map(|_| ())
        })
    }

    fn update<'a>(
        &'a self,
        listed: &'a Listed,
        entry: &'a Entry,
        mark: &'a Mark,
    ) -> BoxFuture<'a, Result<(), AdminError>> {
        Box::pin(async move {
            let mut body = Value::Object(entry.members.clone());
            body["server_id"] = json!(listed.id);
            let mut before = listed.members.clone();
            // Where the upstream or its issuer changes, LiteLLM takes values that stay the same for leftovers of the old one, and
            // clears them: endpoints and issuer at first, then the client. So it is told again until nothing changes. The mark
            // comes last: what is written in part is written again.
            for _ in 0..MAX_REPEATS {
                if UPSTREAM.iter().all(|name| before[*name] == body[*name]) {
                    let mut last = marked(entry, mark);
                    last["server_id"] = json!(listed.id);
                    return self.put(&last).await.map(|_| ());
                }
                before = self.put(&body).await?;
            }
            Err(AdminError::unexpected("LiteLLM does not keep the address or the issuer of the server"))
        })
    }

    fn delete<'a>(&'a self, listed: &'a Listed) -> BoxFuture<'a, Result<(), AdminError>> {
        Box::pin(async move {
            match self.api.call(Method::DELETE, &format!("{SERVERS}/{}", listed.id), None).await {
                Err(error) if error.status != 404 => Err(error),
                _ => Ok(()),
            }
        })
    }
}

fn marked(entry: &Entry, mark: &Mark) -> Value {
    let mut members = entry.members.clone();
    members.insert("mcp_info".to_owned(), json!({ "server_name": entry.name, MARK: mark.text() }));
    Value::Object(members)
}

fn listed(server: &Value) -> Listed {
    let text = |name: &str| server[name].as_str().map(str::to_owned);
    Listed {
        id: text("server_id").unwrap_or_default(),
        names: [text("server_name"), text("alias")].into_iter().flatten().collect(),
        mark: server["mcp_info"][MARK].as_str().and_then(Mark::parse),
        members: server.clone(),
    }
}

/// LiteLLM sends users back to `<its address>/callback`.
fn callback_note(upstream: &Upstream) -> Option<String> {
    let oauth = upstream.oauth.as_ref().filter(|oauth| !oauth.client_credentials)?;
    let known =
        oauth.redirect_uris.iter().any(|uri| uri.ends_with("/callback") && !uri.ends_with("/oauth/callback"));
    (!known).then(|| {
        "its client does not know LiteLLM's callback: add `<LiteLLM's address>/callback` to `gateway.urls` of the registry".to_owned()
    })
}
