//! The explanation of a registration's state: what happened, the error of the authorization server, and links to remedies.

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::registrations::labels;
use crate::view;
use registry::{Registration, RegistrationDetail, ServerRef};
use registry_core::id::RegistrationId;
use registry_core::known_servers::{KnownServer, recognise};
use registry_core::metadata::{FIELDS, Section};
use registry_core::permission::Permission;
use registry_core::registration::State;
use registry_core::slug::Reference;

/// The box at the top of a registration's page.
pub(super) struct Advice {
    pub(super) grade: &'static str,
    pub(super) icon: &'static str,
    /// What happened, as one sentence.
    pub(super) headline: String,
    /// The sentences after the headline; may be empty.
    pub(super) rest: String,
    /// What an error code of the authorization server asks for.
    pub(super) hint: Option<&'static str>,
    /// Links to the pages where the user can fix the cause.
    pub(super) fixes: Vec<Fix>,
    /// Whether the callback must be allowed or registered upstream.
    pub(super) callback: bool,
    /// Whether an initial access token would help.
    pub(super) token: Token,
    /// The known server, where something is wrong.
    pub(super) known: Option<&'static KnownServer>,
}

/// A link to the page of a remedy.
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

/// One way to fix the cause of a failure.
enum Remedy {
    /// Change the member that the error description of the authorization server names.
    NamedMember,
    /// Change this member.
    Member(&'static str),
    /// Change the integration's address.
    Url,
    /// Open the list of orphaned clients.
    Ledger,
    /// Set the credentials of a pre-registered client.
    Client,
    /// Have the callback allowed by the authorization server.
    Callback,
    Token(Token),
}

fn remedies(reason: &str) -> Vec<Remedy> {
    use Remedy as R;
    match reason {
        "invalid_client_metadata" => vec![R::NamedMember, R::Client],
        "auth_method_not_supported" => vec![R::Member("token_endpoint_auth_method"), R::Client],
        "secret_missing" => vec![R::Member("token_endpoint_auth_method"), R::Client, R::Ledger],
        "initial_access_token_needed" | "token_not_sendable" => vec![R::Token(Token::Needed), R::Client],
        "registration_not_allowed" => {
            vec![R::NamedMember, R::Client, R::Callback, R::Token(Token::Perhaps)]
        }
        "invalid_redirect_uri" => vec![R::Callback, R::Client],
        "redirect_uris_not_honoured" => vec![R::Callback, R::Client, R::Ledger],
        "registration_not_supported" | "pre_registered_client_missing" => vec![R::Client, R::Callback],
        "authorization_server_not_found" | "metadata_not_found" | "issuer_changed" => {
            vec![R::Member("issuer"), R::Client]
        }
        "metadata_incomplete" => vec![R::Member("issuer"), R::Member("registration_endpoint"), R::Client],
        "endpoint_not_allowed" | "registration_redirected" => {
            vec![R::Member("registration_endpoint"), R::Client]
        }
        "answer_not_http" | "unexpected_status" | "redirect_not_allowed" | "client_id_changed" => {
            vec![R::Client]
        }
        "answer_not_json"
        | "answer_too_large"
        | "encoding_not_understood"
        | "answer_contradictory"
        | "client_id_missing"
        | "client_secret_expired"
        | "auth_method_not_usable" => vec![R::Client, R::Ledger],
        "issuer_mismatch" => vec![R::Member("registration.trusted_issuer")],
        "resource_mismatch" => vec![R::Member("registration.resource"), R::Url],
        "name_not_found" | "connection_failed" | "certificate_not_trusted" | "address_blocked" => {
            vec![R::Url]
        }
        "cimd_not_available" | "cimd_not_supported" => vec![R::Member("registration.method"), R::Client],
        "cimd_auth_method" => vec![R::Member("token_endpoint_auth_method"), R::Member("registration.method")],
        "cimd_document_too_large" => vec![R::Member("client_name"), R::Member("registration.method")],
        "invalid_client" => vec![R::Client],
        "answer_lost" => vec![R::Ledger, R::Client],
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
            known: None,
        };
        let troubled = labels::is_trouble(one) && !one.server_deleted;
        let Some(reason) = one.reason.as_deref().filter(|_| troubled) else { return Ok(advice) };
        advice.known = [&one.issuer, &one.discovered_issuer]
            .into_iter()
            .find_map(|issuer| recognise(&one.integration.url, issuer.as_deref()));
        for remedy in remedies(reason) {
            match remedy {
                Remedy::NamedMember => match named_member(one) {
                    Some(member) => advice.add_member(signed_in, one, member).await?,
                    None if reason == "invalid_client_metadata" => {
                        let href = configuration(one, "integration", "");
                        advice.fixes.push(Fix { label: "Edit client metadata".to_owned(), href });
                    }
                    None => {}
                },
                Remedy::Member(member) => advice.add_member(signed_in, one, member).await?,
                Remedy::Url if signed_in.actor.can(Permission::UpdateIntegrations) => {
                    let href = format!("/ui/integrations/{}/edit", one.integration.slug);
                    advice.fixes.push(Fix { label: "Edit the server URL".to_owned(), href });
                }
                Remedy::Ledger => advice
                    .fixes
                    .push(Fix { label: "Ledger of orphans".to_owned(), href: "/ui/orphans".to_owned() }),
                Remedy::Client if signed_in.actor.can(Permission::OperateRegistrations) => {
                    let label = "Enter a client instead".to_owned();
                    advice.fixes.push(Fix { label, href: enter(one.id) });
                }
                Remedy::Token(token) if signed_in.actor.can(Permission::OperateRegistrations) => {
                    advice.token = token;
                }
                Remedy::Callback => advice.callback = true,
                Remedy::Url | Remedy::Client | Remedy::Token(_) => {}
            }
        }
        Ok(advice)
    }

    /// Adds a link to the level that sets the member, else to the integration, which can set it for all servers.
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

/// The page where the credentials of a pre-registered client are set.
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

/// The client metadata member that the error description of the authorization server names; the longest name wins, so that
/// `token_endpoint_auth_method` is not mistaken for a shorter name.
fn named_member(one: &Registration) -> Option<&'static str> {
    let description = one.error_description.as_deref()?.to_lowercase();
    let is_word = |start: usize, length: usize| {
        let letter = |c: char| c.is_alphanumeric() || c == '_';
        !description[..start].ends_with(letter) && !description[start + length..].starts_with(letter)
    };
    FIELDS
        .iter()
        .filter(|field| field.section == Section::ClientMetadata && field.name != "redirect_uris")
        .map(|field| field.name)
        .filter(|name| description.match_indices(name).any(|(start, found)| is_word(start, found.len())))
        .max_by_key(|name| name.len())
}

/// The headline, and the sentences after it.
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
        State::Queued => ("The registration waits for a worker.", ""),
        State::Registering => ("Discovery or a request is under way.", ""),
        State::Outdated => (
            "The client serves, but its metadata changed since.",
            "The change needs a new client, and users would have to sign in again. Approve it, or skip this version.",
        ),
        State::Retrying => ("The registration has not succeeded yet.", "It is retried automatically."),
        State::Unconfirmed => (
            "The request was sent and its answer was lost.",
            "A client may exist there that this registry does not know.",
        ),
        State::Failed => ("The registration failed.", "The attempts below say why."),
        State::Withdrawing => ("The client is being deleted at the authorization server.", ""),
        State::Withdrawn if one.server_deleted => ("The server was deleted, and its client too.", ""),
        State::Withdrawn => ("The client was withdrawn.", "Nothing is registered until a user asks for it."),
    };
    (first.to_owned(), rest.to_owned())
}

/// What a code of RFC 7591 §3.2.2 asks for, where the headline does not say it.
fn hint(error: &str) -> Option<&'static str> {
    match error {
        "invalid_software_statement" | "unapproved_software_statement" => Some(
            "The authorization server accepts only software statements that it chose, and this registry sends none. Ask its owner to approve the `software_id`, or set the credentials of a pre-registered client.",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Remedy, remedies};
    use registry_core::metadata::{FIELDS, Section};
    use registry_core::registration::{REASONS, RetryClass};

    #[test]
    fn reason_that_needs_a_user_has_a_remedy() {
        for reason in REASONS {
            let needs_hands = matches!(
                reason.retry_class,
                RetryClass::NeedsUser | RetryClass::Unconfirmed | RetryClass::Unusable
            );
            // The worker repeats a lost update itself; the user has nothing to enter.
            if needs_hands && reason.code != "management_answer_lost" {
                assert!(!remedies(reason.code).is_empty(), "{}", reason.code);
            }
            for remedy in remedies(reason.code) {
                let Remedy::Member(member) = remedy else { continue };
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
