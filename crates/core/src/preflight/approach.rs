//! How gateways identify themselves at an upstream: the approaches a user chooses from, and what each sets in an Advanced
//! Configuration.

use crate::metadata::{ALIAS_WRAPPER, CANONICAL_WRAPPER, Method, read_members, remove_member, set_member};
use crate::registration::AuthType;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// How gateways identify themselves to an MCP server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approach {
    /// Register a client dynamically (RFC 7591).
    Register,
    /// Publish a Client ID Metadata Document.
    Publish,
    /// Use a client that a user registered.
    ByHand,
    /// Send fixed headers.
    Headers,
    /// Nothing: the server requires no authentication.
    Nothing,
}

/// What a user entered for an approach.
#[derive(Clone, Default)]
pub struct Entered {
    /// The `client_id` of a client registered manually.
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
    /// All of them, in display order.
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

    /// The Advanced Configuration `text` with what this approach needs, without what `before` had put there; every byte
    /// that has nothing to do with it stays. Empty: nothing is set any more. `None` if it is not the text of an object, or
    /// if a parent is not an object. `publishes_documents`: whether `auto` could choose a
    /// document, so that registration must be requested explicitly.
    pub fn apply(
        self,
        text: &str,
        before: Option<Self>,
        entered: Entered,
        publishes_documents: bool,
    ) -> Option<String> {
        let mut text = text.to_owned();
        if let Some(before) = before.filter(|before| *before != self) {
            text = before.retract(&text)?;
        }
        let method = |text: &str, method: Method| set_member(text, "/registration/method", &json!(method));
        match self {
            Self::Register if publishes_documents => text = method(&text, Method::Dcr)?,
            Self::Register | Self::Nothing => {}
            Self::Publish => text = method(&text, Method::Cimd)?,
            Self::ByHand => {
                let wrapper = spelling(&text, [ALIAS_WRAPPER, CANONICAL_WRAPPER])?;
                text = set_member(&text, &format!("/{wrapper}/client_id"), &json!(entered.client_id))?;
                let secret = format!("/{wrapper}/client_secret");
                if entered.without_secret {
                    text = remove_member(&text, &secret)?;
                }
                if let Some(typed) = entered.client_secret {
                    text = set_member(&text, &secret, &json!(typed))?;
                }
            }
            Self::Headers => {
                let name = spelling(&text, ["custom_headers", "headers"])?;
                let stored = read_members(&text)?.get(name).and_then(Value::as_object).cloned();
                let stored = stored.unwrap_or_default();
                let mut headers = Map::new();
                for (name, value) in entered.headers {
                    if let Some(value) = value.map(Value::from).or_else(|| stored.get(&name).cloned()) {
                        headers.insert(name, value);
                    }
                }
                if headers != stored {
                    text = set_member(&text, &format!("/{name}"), &headers.into())?;
                }
            }
        }
        Some(if read_members(&text)?.is_empty() { String::new() } else { text })
    }

    /// The approach that an Advanced Configuration decides by itself: its `registration.method`, else a `client_id`.
    /// `None`: it leaves that open.
    pub fn named_by(text: &str) -> Option<Self> {
        let members = read_members(text)?;
        let member = |object: &str, name: &str| Some(members.get(object)?.get(name)?.as_str()?.to_owned());
        let client_id =
            || member(CANONICAL_WRAPPER, "client_id").or_else(|| member(ALIAS_WRAPPER, "client_id"));
        match member("registration", "method").as_deref() {
            Some("dcr") => Some(Self::Register),
            Some("cimd") => Some(Self::Publish),
            _ => client_id().map(|_| Self::ByHand),
        }
    }

    /// `text` without what this approach had put there; `None` if it is not the text of an object.
    pub fn retract(self, text: &str) -> Option<String> {
        match self {
            Self::Register | Self::Publish => without(text, "registration", &["method"]),
            Self::ByHand => {
                let wrapper = spelling(text, [ALIAS_WRAPPER, CANONICAL_WRAPPER])?;
                without(text, wrapper, &["client_id", "client_secret"])
            }
            Self::Headers => remove_member(&remove_member(text, "/headers")?, "/custom_headers"),
            Self::Nothing => Some(text.to_owned()),
        }
    }
}

/// The first of two spellings that the text has, else the second.
fn spelling(text: &str, [first, second]: [&'static str; 2]) -> Option<&'static str> {
    Some(if read_members(text)?.contains_key(first) { first } else { second })
}

/// Without these members of the object `name`, and without that object if nothing else is in it.
fn without(text: &str, name: &str, members: &[&str]) -> Option<String> {
    let mut text = text.to_owned();
    for member in members {
        text = remove_member(&text, &format!("/{name}/{member}"))?;
    }
    let is_empty = read_members(&text)?.get(name).and_then(Value::as_object).is_some_and(Map::is_empty);
    if is_empty { remove_member(&text, &format!("/{name}")) } else { Some(text) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        if text.is_empty() { json!({}) } else { serde_json::from_str(text).unwrap() }
    }

    #[test]
    fn each_approach_sets_and_removes_its_members() {
        let start = "{\n    \"tools\": [\"a\"],\n    \"oauth_metadata\": { \"scope\": \"x\" }\n}";
        let by_hand = Entered {
            client_id: "abc".to_owned(),
            client_secret: Some("s".to_owned()),
            ..Entered::default()
        };
        let headers =
            Entered { headers: vec![("X-Key".to_owned(), Some("v".to_owned()))], ..Entered::default() };
        for (approach, entered, expected) in [
            (Approach::Register, Entered::default(), json!({ "registration": { "method": "dcr" } })),
            (Approach::Publish, Entered::default(), json!({ "registration": { "method": "cimd" } })),
            (
                Approach::ByHand,
                by_hand,
                json!({ "oauth_metadata": { "scope": "x", "client_id": "abc", "client_secret": "s" } }),
            ),
            (Approach::Headers, headers, json!({ "headers": { "X-Key": "v" } })),
            (Approach::Nothing, Entered::default(), json!({})),
        ] {
            let mut wanted = value(start);
            wanted.as_object_mut().unwrap().extend(expected.as_object().unwrap().clone());
            let text = approach.apply(start, None, entered.clone(), true).unwrap();
            assert_eq!(value(&text), wanted, "{approach:?}");
            assert!(text.starts_with("{\n    \"tools\": [\"a\"],\n"), "as it was written: {text}");
            let back = Approach::Nothing.apply(&text, Some(approach), Entered::default(), true).unwrap();
            assert_eq!(value(&back), value(start), "{approach:?}");
            // On nothing, and back to nothing.
            let text = approach.apply("", None, entered, true).unwrap();
            let back = Approach::Nothing.apply(&text, Some(approach), Entered::default(), true).unwrap();
            assert_eq!(back, "", "{approach:?}");
        }
        assert_eq!(Approach::Publish.apply("[1", None, Entered::default(), true), None);
    }

    #[test]
    fn stored_secrets_stay_until_replaced_or_removed() {
        let marker = "$sealed:0190f2a4-0000-7000-8000-000000000000";
        let text =
            json!({ "oauth_client_metadata": { "client_id": "a", "client_secret": marker } }).to_string();
        let entered =
            |without_secret| Entered { client_id: "b".to_owned(), without_secret, ..Entered::default() };
        let apply = |entered| Approach::ByHand.apply(&text, Some(Approach::ByHand), entered, false).unwrap();
        let kept = value(&apply(entered(false)));
        assert_eq!(kept["oauth_client_metadata"], json!({ "client_id": "b", "client_secret": marker }));
        assert_eq!(value(&apply(entered(true)))["oauth_client_metadata"], json!({ "client_id": "b" }));

        let text = json!({ "headers": { "X-A": marker, "X-B": marker } }).to_string();
        let headers = vec![("X-B".to_owned(), None), ("X-C".to_owned(), Some("new".to_owned()))];
        let entered = Entered { headers, ..Entered::default() };
        let text = Approach::Headers.apply(&text, Some(Approach::Headers), entered, false).unwrap();
        assert_eq!(value(&text)["headers"], json!({ "X-B": marker, "X-C": "new" }));
        let secret = Entered { client_secret: Some("canary".to_owned()), ..Entered::default() };
        assert!(!format!("{secret:?}").contains("canary"));
    }
}
