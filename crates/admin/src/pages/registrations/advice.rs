//! What happened to a registration in plain words, what the authorization server said, and what would mend it.

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::registrations::labels;
use crate::view;
use registry::{Registration, RegistrationDetail, ServerRef};
use registry_core::id::RegistrationId;
use registry_core::metadata::{FIELDS, Section};
use registry_core::permission::Permission;
use registry_core::registration::State;
use registry_core::slug::Reference;

/// The box at the head of a registration.
pub(super) struct Advice {
    pub(super) grade: &'static str,
    pub(super) icon: &'static str,
    /// What happened.
    pub(super) headline: String,
    /// What else is to be said of it.
    pub(super) rest: String,
    /// What an error code of the authorization server asks for, in our words.
    pub(super) hint: Option<&'static str>,
    /// Where to mend it.
    pub(super) fixes: Vec<Fix>,
    /// Whether the callback is what somebody has to allow or to register.
    pub(super) callback: bool,
    /// Whether an initial access token would help: for sure, perhaps, or not.
    pub(super) token: Token,
}

/// A link that leads to the cure.
pub(super) struct Fix {
    pub(super) label: String,
    pub(super) href: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Needed,
    Perhaps,
    No,
}

/// One way to mend a reason.
enum Cure {
    /// Change the member that the authorization server's words name.
    NamedMember,
    /// Change this member.
    Member(&'static str),
    /// Change the integration's address.
    Url,
    /// Look at the ledger of orphans.
    Ledger,
    /// Enter a client by hand.
    Client,
    /// Have the callback allowed.
    Callback,
    Token(Token),
}

fn cures(reason: &str) -> Vec<Cure> {
    use Cure as C;
    match reason {
        "invalid_client_metadata" => vec![C::NamedMember, C::Client],
        "auth_method_not_supported" | "secret_missing" => {
            vec![C::Member("token_endpoint_auth_method"), C::Client]
        }
        "initial_access_token_needed" | "token_not_sendable" => vec![C::Token(Token::Needed), C::Client],
        "registration_not_allowed" => {
            vec![C::NamedMember, C::Client, C::Callback, C::Token(Token::Perhaps)]
        }
        "invalid_redirect_uri" | "redirect_uris_not_honoured" => vec![C::Callback, C::Client],
        "registration_not_supported" | "pre_registered_client_missing" => vec![C::Client, C::Callback],
        "authorization_server_not_found" | "metadata_not_found" | "issuer_changed" => {
            vec![C::Member("issuer"), C::Client]
        }
        "metadata_incomplete" | "endpoint_not_allowed" => vec![C::Member("registration_endpoint"), C::Client],
        "answer_not_http"
        | "answer_not_json"
        | "answer_too_large"
        | "unexpected_status"
        | "redirect_not_allowed"
        | "client_id_missing"
        | "client_id_changed"
        | "client_secret_expired" => {
            vec![C::Client]
        }
        "issuer_mismatch" => vec![C::Member("registration.trusted_issuer")],
        "resource_mismatch"
        | "name_not_found"
        | "connection_failed"
        | "certificate_not_trusted"
        | "address_blocked" => vec![C::Url],
        "cimd_not_available" | "cimd_not_supported" => vec![C::Member("registration.method"), C::Client],
        "cimd_auth_method" => vec![C::Member("token_endpoint_auth_method"), C::Member("registration.method")],
        "cimd_document_too_large" => vec![C::Member("client_name"), C::Member("registration.method")],
        "invalid_client" => vec![C::Client],
        "answer_lost" => vec![C::Ledger, C::Client],
        _ => Vec::new(),
    }
}

impl Advice {
    pub(super) async fn of(signed_in: &SignedInUser, detail: &RegistrationDetail) -> Result<Self, Failure> {
        let one = &detail.registration;
        let (grade, icon) = view::state_look(&one.state);
        let (headline, rest) = sentences(one);
        let mut advice = Self {
            grade,
            icon,
            headline,
            rest,
            hint: one.error.as_deref().and_then(hint),
            fixes: Vec::new(),
            callback: false,
            token: Token::No,
        };
        let troubled = labels::is_trouble(one) && !one.server_deleted;
        let Some(reason) = one.reason.as_deref().filter(|_| troubled) else { return Ok(advice) };
        for cure in cures(reason) {
            match cure {
                Cure::NamedMember => match named_member(one) {
                    Some(member) => advice.add_member(signed_in, one, member).await?,
                    None if reason == "invalid_client_metadata" => {
                        let href = configuration(one, "integration", "");
                        advice.fixes.push(Fix { label: "Edit client metadata".to_owned(), href });
                    }
                    None => {}
                },
                Cure::Member(member) => advice.add_member(signed_in, one, member).await?,
                Cure::Url if signed_in.actor.can(Permission::UpdateIntegrations) => {
                    let href = format!("/ui/integrations/{}/edit", one.integration.slug);
                    advice.fixes.push(Fix { label: "Edit the server URL".to_owned(), href });
                }
                Cure::Ledger => advice
                    .fixes
                    .push(Fix { label: "Ledger of orphans".to_owned(), href: "/ui/orphans".to_owned() }),
                Cure::Client if signed_in.actor.can(Permission::OperateRegistrations) => {
                    let label = "Enter a client instead".to_owned();
                    advice.fixes.push(Fix { label, href: enter(one.id) });
                }
                Cure::Token(token) if signed_in.actor.can(Permission::OperateRegistrations) => {
                    advice.token = token;
                }
                Cure::Callback => advice.callback = true,
                Cure::Url | Cure::Client | Cure::Token(_) => {}
            }
        }
        Ok(advice)
    }

    /// A link to the member where it is set now, or to the integration, where it can be set for all.
    async fn add_member(
        &mut self,
        signed_in: &SignedInUser,
        one: &Registration,
        member: &'static str,
    ) -> Result<(), Failure> {
        if !signed_in.actor.can(Permission::UpdateIntegrations) {
            return Ok(());
        }
        let server = ServerRef { server: Reference::Id(one.server.0), workspace: None };
        let shown = signed_in.registry.servers().client_metadata(&signed_in.actor, &server).await?;
        let level = shown.resolution.origins.get(member).map_or("default", |origin| origin.as_str());
        let set = matches!(level, "organisation" | "integration" | "workspace" | "server");
        let label = format!("{} {member}", if set { "Edit" } else { "Set" });
        self.fixes.push(Fix { label, href: configuration(one, level, member) });
        Ok(())
    }

    pub(super) fn needs_token(&self) -> bool {
        self.token == Token::Needed
    }

    pub(super) fn may_need_token(&self) -> bool {
        self.token == Token::Perhaps
    }
}

/// Where a client is entered by hand.
pub(super) fn enter(id: RegistrationId) -> String {
    format!("/ui/registrations/{id}/client")
}

/// The editor of a level, with this server in its preview.
fn configuration(one: &Registration, level: &str, member: &str) -> String {
    let (workspace, server, integration) = (&one.workspace.slug, &one.server_slug, &one.integration.slug);
    let page = match level {
        "organisation" => "/ui/settings/organisation".to_owned(),
        "workspace" => format!("/ui/workspaces/{workspace}/integrations/{integration}/config"),
        "server" => format!("/ui/workspaces/{workspace}/servers/{server}/config"),
        _ => format!("/ui/integrations/{integration}/config"),
    };
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("server", &format!("{workspace}/{server}"));
    if !member.is_empty() {
        query.append_pair("member", member);
    }
    format!("{page}?{}", query.finish())
}

/// The member of client metadata that an authorization server's words name; the longest name wins, so that
/// `token_endpoint_auth_method` is not taken for something shorter.
fn named_member(one: &Registration) -> Option<&'static str> {
    let said = one.error_description.as_deref()?.to_lowercase();
    let is_word = |start: usize, length: usize| {
        let letter = |c: char| c.is_alphanumeric() || c == '_';
        !said[..start].ends_with(letter) && !said[start + length..].starts_with(letter)
    };
    FIELDS
        .iter()
        .filter(|field| field.section == Section::ClientMetadata && field.name != "redirect_uris")
        .map(|field| field.name)
        .filter(|name| said.match_indices(name).any(|(start, found)| is_word(start, found.len())))
        .max_by_key(|name| name.len())
}

/// What happened in one sentence, and the rest.
fn sentences(one: &Registration) -> (String, String) {
    if let Some(detail) = &one.detail {
        return match detail.split_once(". ") {
            Some((first, rest)) => (format!("{first}."), rest.to_owned()),
            None => (detail.clone(), String::new()),
        };
    }
    let (first, rest) = match one.state {
        State::Registered if one.usable => ("A client is registered and ready for the gateways.", ""),
        State::Registered => ("A client is registered, but its secret has expired.", "Re-register it."),
        State::Queued => ("It waits for a worker.", ""),
        State::Registering => ("Discovery or a request is under way.", ""),
        State::Outdated => (
            "The client serves, but its metadata changed since.",
            "The change needs a new client, and users would have to sign in again. Approve it, or skip this version.",
        ),
        State::Retrying => ("It did not work yet.", "It is tried again by itself."),
        State::Unconfirmed => (
            "The request was sent and its answer lost.",
            "A client may exist there that this registry does not know.",
        ),
        State::Failed => ("It failed.", "The attempts below say why."),
        State::Withdrawing => ("The client is being deleted at the authorization server.", ""),
        State::Withdrawn if one.server_deleted => ("The server is gone, and its client with it.", ""),
        State::Withdrawn => ("The client was withdrawn.", "Nothing is registered until a user asks for it."),
    };
    (first.to_owned(), rest.to_owned())
}

/// What the codes of RFC 7591 §3.2.2 ask for that our own sentence does not say.
fn hint(error: &str) -> Option<&'static str> {
    match error {
        "invalid_software_statement" | "unapproved_software_statement" => Some(
            "It wants a software statement of its own choosing, and this registry sends none. Ask its owner to approve the `software_id`, or enter a client registered by hand.",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Cure, cures};
    use registry_core::metadata::{FIELDS, Section};
    use registry_core::registration::{REASONS, RetryClass};

    #[test]
    fn whatever_needs_a_person_has_a_way_out() {
        for reason in REASONS {
            let needs_hands = matches!(reason.retry_class, RetryClass::NeedsUser | RetryClass::Unconfirmed);
            // A lost update is asked about again by itself; nothing is to be entered for it.
            if needs_hands && reason.code != "management_answer_lost" {
                assert!(!cures(reason.code).is_empty(), "{}", reason.code);
            }
            for cure in cures(reason.code) {
                let Cure::Member(member) = cure else { continue };
                let (section, name) = match member.split_once('.') {
                    Some((_, name)) => (Section::Registration, name),
                    None => (Section::ClientMetadata, member),
                };
                assert!(
                    FIELDS.iter().any(|field| field.section == section && field.name == name),
                    "{member}"
                );
            }
        }
    }
}
