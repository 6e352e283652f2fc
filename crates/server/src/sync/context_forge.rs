//! ContextForge (`mcp-contextforge-gateway`): `/v1/gateways`, its name for upstream MCP servers.

use super::admin_api::{AdminApi, AdminError};
use super::mark::Mark;
use super::target::{Entry, Listed, TargetGateway};
use super::upstream::{OAuth, Upstream};
use futures_util::future::BoxFuture;
use registry_core::origin::is_same_origin;
use reqwest::Method;
use serde_json::{Map, Value, json};

const GATEWAYS: &str = "/v1/gateways";
const FETCH_TOOLS: &str = "/oauth/fetch-tools";
/// Where it receives authorization codes.
const CALLBACK: &str = "/oauth/callback";

/// A ContextForge gateway.
pub(crate) struct ContextForge {
    api: AdminApi,
    /// The address that users see.
    public_url: String,
}

impl ContextForge {
    /// The gateway behind this API; its token is a JWT or API token of an admin.
    pub(crate) fn new(api: AdminApi, public_url: String) -> Self {
        Self { api, public_url }
    }

    /// The callback of this gateway among those of the client.
    fn redirect_uri<'a>(&self, oauth: &'a OAuth) -> Option<&'a String> {
        let all = || oauth.redirect_uris.iter().filter(|uri| uri.ends_with(CALLBACK));
        all().find(|uri| is_same_origin(uri, &self.public_url)).or_else(|| all().next())
    }

    fn oauth_config(&self, oauth: &OAuth) -> Result<Value, String> {
        let mut config = json!({
            "grant_type": if oauth.client_credentials { "client_credentials" } else { "authorization_code" },
            "client_id": oauth.client_id,
            "token_url": oauth.token_endpoint,
            "authorization_url": oauth.authorization_endpoint,
            "issuer": oauth.issuer,
            "scopes": oauth.scopes,
            "token_endpoint_auth_method": oauth.auth_method,
        });
        if let Some(secret) = &oauth.client_secret {
            config["client_secret"] = json!(secret);
        }
        if let Some(resource) = &oauth.resource {
            config["resource"] = json!(resource);
        }
        if !oauth.client_credentials {
            let uri = self.redirect_uri(oauth).ok_or_else(|| {
                format!(
                    "its client does not know ContextForge's callback: add `{}{CALLBACK}` to `gateway.urls` of the registry",
                    self.public_url.trim_end_matches('/')
                )
            })?;
            config["redirect_uri"] = json!(uri);
        }
        Ok(config)
    }
}

impl TargetGateway for ContextForge {
    fn name_for(&self, upstream: &Upstream, suffix: Option<&str>) -> String {
        let name = format!("{}-{}", upstream.workspace, upstream.server);
        match suffix {
            Some(suffix) => format!("{name}-{suffix}"),
            None => name,
        }
    }

    /// Its slug, which is unique: lower-case, with one hyphen in place of other characters.
    fn name_key(&self, name: &str) -> String {
        let parts = name.split(|character: char| !character.is_ascii_alphanumeric());
        parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-").to_lowercase()
    }

    fn entry(&self, upstream: &Upstream, name: String) -> Result<Entry, String> {
        let mut members = Map::new();
        let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
        put("name", json!(name));
        put("description", json!(format!("{} of MCP Registry", upstream.name())));
        put("url", json!(upstream.url));
        put("transport", json!(if upstream.sse { "SSE" } else { "STREAMABLEHTTP" }));
        put("passthrough_headers", json!(upstream.forwarded));
        let mut notes = upstream.notes.clone();
        if let Some(oauth) = &upstream.oauth {
            put("auth_type", json!("oauth"));
            put("oauth_config", self.oauth_config(oauth)?);
            if !upstream.headers.is_empty() {
                notes.push("`passthrough_headers` has no effect there beside OAuth".to_owned());
            }
        } else if upstream.headers.is_empty() {
            put("auth_type", json!("none"));
        } else {
            put("auth_type", json!("authheaders"));
            let headers = upstream.headers.iter().map(|(key, value)| json!({ "key": key, "value": value }));
            put("auth_headers", headers.collect());
        }
        if let Some(allowed) = &upstream.allowed_tools {
            notes.push(format!("all tools are offered there, not only {}", allowed.join(", ")));
        }
        Ok(Entry { name, members, notes })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>, AdminError>> {
        Box::pin(async {
            let mut all = Vec::new();
            let mut cursor: Option<String> = None;
            loop {
                let mut path = format!("{GATEWAYS}?include_inactive=true&include_pagination=true");
                if let Some(cursor) = &cursor {
                    let cursor: String = url::form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
                    path = format!("{path}&cursor={cursor}");
                }
                let page = self.api.call(Method::GET, &path, None).await?;
                let list = page["gateways"].as_array();
                let list =
                    list.ok_or_else(|| AdminError::unexpected("ContextForge sent no list of gateways"))?;
                // One that is being deleted is as good as gone.
                all.extend(list.iter().filter(|one| one["status"] != "deleting").map(listed));
                match page["nextCursor"].as_str() {
                    Some(next) if cursor.as_deref() != Some(next) => cursor = Some(next.to_owned()),
                    _ => return Ok(all),
                }
            }
        })
    }

    fn create<'a>(&'a self, entry: &'a Entry, mark: &'a Mark) -> BoxFuture<'a, Result<(), AdminError>> {
        Box::pin(async move {
            self.api.call(Method::POST, GATEWAYS, Some(&marked(entry, mark, &[]))).await.map(|_| ())
        })
    }

    fn update<'a>(
        &'a self,
        listed: &'a Listed,
        entry: &'a Entry,
        mark: &'a Mark,
    ) -> BoxFuture<'a, Result<(), AdminError>> {
        Box::pin(async move {
            let now = listed.members["authType"].as_str().filter(|kind| !kind.is_empty()).unwrap_or("none");
            if entry.members.get("auth_type").and_then(Value::as_str) != Some(now) {
                // An update keeps the credentials of the former kind.
                self.delete(listed).await?;
                return self.create(entry, mark).await;
            }
            let path = format!("{GATEWAYS}/{}", listed.id);
            if has_catalog(&listed.members) {
                // Where an update takes tools away, ContextForge 1.0.7 drops all else that the update says, except tags, and
                // answers 200. The second update has no tools to take away. The mark comes with it alone.
                self.api.call(Method::PUT, &path, Some(&Value::Object(entry.members.clone()))).await?;
            }
            let body = marked(entry, mark, &other_tags(&listed.members));
            self.api.call(Method::PUT, &path, Some(&body)).await?;
            if now == "oauth" {
                // Its tools are gone now until somebody who has signed in fetches them. This succeeds if the token's own user has.
                let fetched =
                    self.api.call(Method::POST, &format!("{FETCH_TOOLS}/{}", listed.id), None).await;
                if let Err(error) = fetched {
                    tracing::debug!(%error, "no tools yet: the user of the token has not signed in upstream");
                }
            }
            Ok(())
        })
    }

    fn delete<'a>(&'a self, listed: &'a Listed) -> BoxFuture<'a, Result<(), AdminError>> {
        Box::pin(async move {
            match self.api.call(Method::DELETE, &format!("{GATEWAYS}/{}", listed.id), None).await {
                Err(error) if error.status != 404 => Err(error),
                _ => Ok(()),
            }
        })
    }
}

/// Whether ContextForge has found tools, prompts or resources at the upstream.
fn has_catalog(gateway: &Value) -> bool {
    ["toolCount", "promptCount", "resourceCount"].iter().any(|name| gateway[*name].as_u64() != Some(0))
}

fn marked(entry: &Entry, mark: &Mark, other_tags: &[String]) -> Value {
    let mut members = entry.members.clone();
    let mut tags = vec![mark.text()];
    tags.extend(other_tags.iter().cloned());
    members.insert("tags".to_owned(), json!(tags));
    Value::Object(members)
}

fn tags(gateway: &Value) -> impl Iterator<Item = &str> {
    // Older releases send plain texts.
    let list = gateway["tags"].as_array().into_iter().flatten();
    list.filter_map(|tag| tag.as_str().or_else(|| tag["id"].as_str()))
}

/// The tags that people gave an entry.
fn other_tags(gateway: &Value) -> Vec<String> {
    tags(gateway).filter(|tag| Mark::parse(tag).is_none()).map(str::to_owned).collect()
}

fn listed(gateway: &Value) -> Listed {
    let text = |name: &str| gateway[name].as_str().map(str::to_owned);
    Listed {
        id: text("id").unwrap_or_default(),
        names: [text("name"), text("slug")].into_iter().flatten().collect(),
        mark: tags(gateway).find_map(Mark::parse),
        members: gateway.clone(),
    }
}
