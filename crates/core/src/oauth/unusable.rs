//! A client that an authorization server made, and that cannot be used here: what its answer says of it, in whatever form
//! (INV-11). Nothing of this is used to sign in; it names the client to its owner and deletes it (RFC 7592 §2.3).

use super::clean::clean;
use super::discovery::endpoint_is_sane;
use super::http_answer::HttpAnswer;
use super::json::bare_name;
use super::markup::is_page;
use super::sanitize::is_plain;
use super::verbatim::verbatim_up_to;
use crate::origin::is_same_origin;
use crate::secret::Secret;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The longest id that is kept, in characters.
pub(super) const MAX_ID: usize = 2_000;
/// How many values of a member are collected.
const MAX_VALUES: usize = 8;
/// How many layers of JSON inside strings are opened.
const MAX_LAYERS: usize = 4;

/// What is known of a client that cannot be used.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct UnusableClient {
    /// Its id, with control and invisible characters written as `\u{…}`.
    pub client_id: Option<String>,
    /// The management address that was answered (RFC 7592 §3), cleaned, for users.
    pub registration_client_uri: Option<String>,
    /// Where and with what it is deleted, if that is possible.
    pub management: Option<(String, Secret)>,
    /// Why it cannot be deleted from here, a sentence for users.
    pub not_deletable: Option<String>,
}

impl fmt::Debug for UnusableClient {
    /// Without the address as it is sent to: it may repeat the token.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("UnusableClient")
            .field("client_id", &self.client_id)
            .field("registration_client_uri", &self.registration_client_uri)
            .field("deletable", &self.management.is_some())
            .field("not_deletable", &self.not_deletable)
            .finish()
    }
}

impl UnusableClient {
    /// Reads what the answer of `endpoint` says.
    pub fn read(answer: &HttpAnswer<'_>, endpoint: &str) -> Self {
        let text = answer.text().text;
        let mut found = Found::default();
        let whole = found.json(text.trim(), MAX_LAYERS);
        if !whole && !is_page(&text) {
            found.scan(&text);
        }
        found.client(endpoint)
    }

    /// The same, with a reason why it cannot be deleted if it has no management.
    #[must_use]
    pub fn or_not_deletable(mut self) -> Self {
        if self.management.is_none() && self.not_deletable.is_none() {
            self.not_deletable = Some(
                "It cannot be deleted from here: the answer names no usable management address and token."
                    .to_owned(),
            );
        }
        self
    }

    /// The same without `secret`, which an upstream may have repeated.
    pub(super) fn without(mut self, secret: &Secret) -> Self {
        let repeats = |text: &Option<String>| text.as_deref().is_some_and(|text| secret.is_in_text(text));
        if repeats(&self.registration_client_uri) {
            self.management = None;
            self.not_deletable =
                Some("It cannot be deleted from here: its management address repeats a secret.".to_owned());
        }
        self.client_id = self.client_id.map(|id| secret.scrub(&id));
        self.registration_client_uri = self.registration_client_uri.map(|uri| secret.scrub(&uri));
        self.not_deletable = self.not_deletable.map(|why| secret.scrub(&why));
        self
    }

    /// What happens to the client now, a sentence for users.
    pub fn fate(&self) -> &str {
        match &self.not_deletable {
            Some(why) => why,
            None => {
                "This registry deletes the client that was made there; the ledger of orphaned clients says what came of it."
            }
        }
    }
}

/// The values of the members that name a client, in order.
#[derive(Default)]
struct Found {
    ids: Vec<String>,
    uris: Vec<String>,
    tokens: Vec<String>,
}

/// One of the members that name a client.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Member {
    Id,
    Uri,
    Token,
}

impl Member {
    const ALL: [(Self, &'static str); 3] = [
        (Self::Id, "clientid"),
        (Self::Uri, "registrationclienturi"),
        (Self::Token, "registrationaccesstoken"),
    ];

    fn named(name: &str) -> Option<Self> {
        let plain = bare_name(name);
        Self::ALL.into_iter().find(|(_, written)| *written == plain).map(|(member, _)| member)
    }
}

impl Found {
    fn add(&mut self, member: Member, value: &str) {
        let value = value.trim();
        let values = match member {
            Member::Id => &mut self.ids,
            Member::Uri => &mut self.uris,
            Member::Token => &mut self.tokens,
        };
        if !value.is_empty() && values.len() < MAX_VALUES && !values.iter().any(|known| known == value) {
            values.push(value.to_owned());
        }
    }

    fn has(&self, member: Member) -> bool {
        let values = match member {
            Member::Id => &self.ids,
            Member::Uri => &self.uris,
            Member::Token => &self.tokens,
        };
        !values.is_empty()
    }

    /// Collects from JSON, also from the beginning of one that ends too early. False if it is not JSON to its end.
    fn json(&mut self, text: &str, layers: usize) -> bool {
        let mut reader = serde_json::Deserializer::from_str(text);
        let read = Walk { found: self, member: None, layers }.deserialize(&mut reader);
        read.is_ok() && reader.end().is_ok()
    }

    /// Collects from a text that is not JSON: `client_id=a`, `<client_id>a</client_id>`, `'client_id': 'a'`.
    fn scan(&mut self, text: &str) {
        for (member, name) in [
            (Member::Id, "client_id"),
            (Member::Uri, "registration_client_uri"),
            (Member::Token, "registration_access_token"),
        ] {
            // What JSON said before it ended is better read than this.
            if self.has(member) {
                continue;
            }
            for (at, _) in text.match_indices(name).take(MAX_VALUES) {
                let rest =
                    text[at + name.len()..].trim_start_matches(['"', '\'', '\\', ' ', '\t', '\r', '\n']);
                let form = rest.starts_with('=');
                let Some(rest) = rest.strip_prefix([':', '=', '>']) else { continue };
                let rest = rest.trim_start_matches(['>', '"', '\'', '\\', ' ', '\t', '\r', '\n']);
                let ends = |c: char| {
                    c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '&' | ',' | ';' | '}' | ']' | '\\')
                };
                // A value without an end was cut off.
                match rest.split_once(ends) {
                    Some((value, _)) => self.add(member, value),
                    None if form => self.add(member, rest),
                    None => {}
                }
            }
        }
    }

    fn client(self, endpoint: &str) -> UnusableClient {
        let Self { ids, uris, tokens } = self;
        let mut client = UnusableClient {
            client_id: ids.first().map(|id| verbatim_up_to(id, MAX_ID)),
            registration_client_uri: uris.first().map(|uri| clean(uri, 1_000)),
            ..UnusableClient::default()
        };
        let not = |why: &str| Err(format!("It cannot be deleted from here: {why}."));
        let management = match (&ids[..], &uris[..], &tokens[..]) {
            ([], ..) => Err("Whether a client was made is not known, and none can be deleted from here: no `client_id` could be read.".to_owned()),
            ([_, _, ..], ..) => not(&format!(
                "the answer names several `client_id`s ({})",
                ids.iter().map(|id| clean(id, 100)).collect::<Vec<_>>().join(", ")
            )),
            (_, [], _) => not("the answer names no management address (`registration_client_uri`)"),
            (_, _, []) => not("the answer holds no `registration_access_token`"),
            (_, [uri], [token]) => {
                if !endpoint_is_sane(uri) {
                    not("its management address is not a complete web address")
                } else if !is_same_origin(endpoint, uri) {
                    not("its management address is on another origin than the registration endpoint, so no token is sent there")
                } else if ids[0].chars().count() > MAX_ID {
                    // Clients are compared by their whole id before one is deleted.
                    not("its `client_id` is too long to be compared with those in use")
                } else if !is_plain(token) {
                    not("its registration access token contains control or invisible characters")
                } else {
                    Ok((uri.clone(), Secret::new(token.clone())))
                }
            }
            _ => not("the answer names several management addresses or tokens"),
        };
        match management {
            Ok(management) => client.management = Some(management),
            Err(why) => client.not_deletable = Some(why),
        }
        // The token must not be shown as part of the id or the address.
        for token in tokens.into_iter().map(Secret::new) {
            client.client_id = client.client_id.map(|id| token.scrub(&id));
            client.registration_client_uri = client.registration_client_uri.map(|uri| token.scrub(&uri));
            client.not_deletable = client.not_deletable.map(|why| token.scrub(&why));
        }
        client
    }
}

/// Walks through JSON and collects, so that what was read before an error is kept, and of a member that is there twice both
/// values.
struct Walk<'f> {
    found: &'f mut Found,
    member: Option<Member>,
    layers: usize,
}

impl Walk<'_> {
    fn text(self, text: &str) {
        match self.member {
            Some(member) => self.found.add(member, text),
            None if self.layers > 0 && text.trim_start().starts_with(['{', '[', '"']) => {
                self.found.json(text.trim(), self.layers - 1);
            }
            None => {}
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.text(&value.to_string());
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.text(&value.to_string());
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.text(&value.to_string());
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.text(value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let Self { found, member, layers } = self;
        while access.next_element_seed(Walk { found: &mut *found, member, layers })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let Self { found, layers, .. } = self;
        while let Some(name) = access.next_key::<String>()? {
            // An echo of what the request said is no client of this answer.
            if name == "software_statement" {
                access.next_value::<IgnoredAny>()?;
                continue;
            }
            access.next_value_seed(Walk { found: &mut *found, member: Member::named(&name), layers })?;
        }
        Ok(())
    }
}
