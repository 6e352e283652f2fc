//! How gateways identify themselves at an upstream: the ways a person chooses from, and what each sets in an Advanced
//! Configuration.

use crate::metadata::{ALIAS_WRAPPER, CANONICAL_WRAPPER, Method};
use crate::registration::AuthType;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// One way for gateways to identify themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approach {
    /// Register a client dynamically (RFC 7591).
    Register,
    /// Publish a Client ID Metadata Document.
    Publish,
    /// Use a client that a person registered.
    ByHand,
    /// Send fixed headers.
    Headers,
    /// Nothing: the server lets everybody in.
    Nothing,
}

/// What a person entered for an approach.
#[derive(Clone, Default)]
pub struct Entered {
    /// The `client_id` of a client registered by hand.
    pub client_id: String,
    /// Its secret; `None` keeps the stored one, if there is one.
    pub client_secret: Option<String>,
    /// Forget the stored secret.
    pub without_secret: bool,
    /// Names of fixed headers with their values; `None` keeps the stored value of that name.
    pub headers: Vec<(String, Option<String>)>,
}

impl std::fmt::Debug for Entered {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Everything else may be a secret.
        formatter.debug_struct("Entered").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

impl Approach {
    /// All of them, in the order people are shown.
    pub const ALL: [Self; 5] = [Self::Register, Self::Publish, Self::ByHand, Self::Headers, Self::Nothing];

    /// The word used in the database and in forms.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Publish => "publish",
            Self::ByHand => "by_hand",
            Self::Headers => "headers",
            Self::Nothing => "nothing",
        }
    }

    /// The one with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }

    /// The integration's `auth_type`.
    pub fn auth_type(self) -> AuthType {
        match self {
            Self::Register | Self::Publish | Self::ByHand => AuthType::OauthAuto,
            Self::Headers => AuthType::Headers,
            Self::Nothing => AuthType::None,
        }
    }

    /// Puts into `configuration` what this approach needs, and takes out what `before` had put there. Everything else
    /// stays. `publishes_documents`: whether `auto` could choose a document, so that registering must be said.
    pub fn apply(
        self,
        configuration: &mut Map<String, Value>,
        before: Option<Self>,
        entered: Entered,
        publishes_documents: bool,
    ) {
        if let Some(before) = before.filter(|before| *before != self) {
            before.retract(configuration);
        }
        match self {
            Self::Register if publishes_documents => set_method(configuration, Method::Dcr),
            Self::Register | Self::Nothing => {}
            Self::Publish => set_method(configuration, Method::Cimd),
            Self::ByHand => {
                let metadata = member(configuration, wrapper(configuration));
                metadata.insert("client_id".to_owned(), json!(entered.client_id));
                if entered.without_secret {
                    metadata.shift_remove("client_secret");
                }
                if let Some(secret) = entered.client_secret {
                    metadata.insert("client_secret".to_owned(), json!(secret));
                }
            }
            Self::Headers => {
                let name =
                    if configuration.contains_key("custom_headers") { "custom_headers" } else { "headers" };
                let stored = configuration.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
                let mut headers = Map::new();
                for (name, value) in entered.headers {
                    if let Some(value) = value.map(Value::from).or_else(|| stored.get(&name).cloned()) {
                        headers.insert(name, value);
                    }
                }
                configuration.insert(name.to_owned(), headers.into());
            }
        }
    }

    /// Takes out of `configuration` what this approach had put there.
    fn retract(self, configuration: &mut Map<String, Value>) {
        let remove = |configuration: &mut Map<String, Value>, name: &str, members: &[&str]| {
            let Some(Value::Object(object)) = configuration.get_mut(name) else { return };
            for member in members {
                object.shift_remove(*member);
            }
            if object.is_empty() {
                configuration.shift_remove(name);
            }
        };
        match self {
            Self::Register | Self::Publish => remove(configuration, "registration", &["method"]),
            Self::ByHand => remove(configuration, wrapper(configuration), &["client_id", "client_secret"]),
            Self::Headers => {
                configuration.shift_remove("headers");
                configuration.shift_remove("custom_headers");
            }
            Self::Nothing => {}
        }
    }
}

/// The name that client metadata have in this configuration.
fn wrapper(configuration: &Map<String, Value>) -> &'static str {
    if configuration.contains_key(ALIAS_WRAPPER) { ALIAS_WRAPPER } else { CANONICAL_WRAPPER }
}

fn set_method(configuration: &mut Map<String, Value>, method: Method) {
    member(configuration, "registration").insert("method".to_owned(), json!(method));
}

/// The object of this name, made where there is none.
fn member<'a>(configuration: &'a mut Map<String, Value>, name: &str) -> &'a mut Map<String, Value> {
    let value = configuration.entry(name).or_insert(Value::Null);
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(object) => object,
        _ => unreachable!("it was made one"),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn each_sets_its_own_and_takes_it_back() {
        let start = object(&json!({ "tools": ["a"], "oauth_metadata": { "scope": "x" } }));
        let by_hand = || Entered {
            client_id: "abc".to_owned(),
            client_secret: Some("s".to_owned()),
            ..Entered::default()
        };
        for (approach, entered, expected) in [
            (Approach::Register, Entered::default(), json!({ "registration": { "method": "dcr" } })),
            (Approach::Publish, Entered::default(), json!({ "registration": { "method": "cimd" } })),
            (
                Approach::ByHand,
                by_hand(),
                json!({ "oauth_metadata": { "scope": "x", "client_id": "abc", "client_secret": "s" } }),
            ),
            (
                Approach::Headers,
                Entered { headers: vec![("X-Key".to_owned(), Some("v".to_owned()))], ..Entered::default() },
                json!({ "headers": { "X-Key": "v" } }),
            ),
            (Approach::Nothing, Entered::default(), json!({})),
        ] {
            let mut configuration = start.clone();
            approach.apply(&mut configuration, None, entered, true);
            let mut wanted = start.clone();
            wanted.extend(object(&expected));
            assert_eq!(configuration, wanted, "{approach:?}");
            let back = if approach == Approach::Nothing { Approach::ByHand } else { Approach::Nothing };
            back.apply(&mut configuration, Some(approach), Entered::default(), true);
            if back == Approach::Nothing {
                assert_eq!(configuration, start, "{approach:?}");
            }
        }
    }

    #[test]
    fn stored_secrets_stay_until_replaced_or_removed() {
        let marker = "$sealed:0190f2a4-0000-7000-8000-000000000000";
        let mut configuration =
            object(&json!({ "oauth_client_metadata": { "client_id": "a", "client_secret": marker } }));
        let entered = |client_secret: Option<&str>, without_secret| Entered {
            client_id: "b".to_owned(),
            client_secret: client_secret.map(str::to_owned),
            without_secret,
            headers: Vec::new(),
        };
        let by_hand = Some(Approach::ByHand);
        Approach::ByHand.apply(&mut configuration, by_hand, entered(None, false), false);
        assert_eq!(
            configuration["oauth_client_metadata"],
            json!({ "client_id": "b", "client_secret": marker })
        );
        Approach::ByHand.apply(&mut configuration, by_hand, entered(None, true), false);
        assert_eq!(configuration["oauth_client_metadata"], json!({ "client_id": "b" }));

        let mut configuration = object(&json!({ "headers": { "X-A": marker, "X-B": marker } }));
        let headers = vec![("X-B".to_owned(), None), ("X-C".to_owned(), Some("new".to_owned()))];
        let entered = Entered { headers, ..Entered::default() };
        Approach::Headers.apply(&mut configuration, Some(Approach::Headers), entered, false);
        assert_eq!(configuration["headers"], json!({ "X-B": marker, "X-C": "new" }));
        assert!(
            !format!("{:?}", Entered { client_secret: Some("canary".into()), ..Entered::default() })
                .contains("canary")
        );
    }
}
