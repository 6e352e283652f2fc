//! The consent preview: a drawing of what authorization servers typically show users, with the values that would be
//! sent, each marked with its level.

use registry::{Actor, Logo, LogoState, Preview, Registry, Result};
use registry_core::logo::logo_uris;
use registry_core::metadata::{Origin, Resolution};
use serde_json::Value;
use url::Url;

/// The levels of the legend, lowest first.
const LEVELS: [Origin; 5] =
    [Origin::Default, Origin::Organisation, Origin::Integration, Origin::Workspace, Origin::Server];

/// The card.
#[derive(Debug)]
pub(crate) struct Consent {
    /// Name of the service that users sign in to.
    pub(crate) service: String,
    /// Host of the service that users sign in to.
    pub(crate) host: String,
    /// `workspace/server` of the preview; `None`: an example, because no server uses it yet.
    pub(crate) shown_for: Option<String>,
    /// `client_name`.
    pub(crate) name: Option<Part>,
    /// Host of `client_uri`.
    pub(crate) home: Option<Part>,
    /// The scopes.
    pub(crate) scopes: Vec<Scope>,
    pub(crate) terms: Option<Part>,
    pub(crate) privacy: Option<Part>,
    /// The contact address: the first of `contacts`.
    pub(crate) contact: Option<Part>,
    /// The logo that users see, and its level.
    pub(crate) picture: Option<(String, &'static str)>,
    /// The state of each logo, the one without a language first.
    pub(crate) logos: Vec<LogoNote>,
    /// The levels in the legend.
    pub(crate) levels: Vec<&'static str>,
    /// What users will miss, one sentence each.
    pub(crate) missing: Vec<&'static str>,
    /// Whether a pre-registered client is used, whose consent screen its owner controls.
    pub(crate) by_hand: bool,
}

/// A value that users see.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) text: String,
    /// The CSS class of its level.
    pub(crate) level: &'static str,
}

/// A scope.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) name: String,
    /// Its usual display name, if known.
    pub(crate) words: &'static str,
    pub(crate) level: &'static str,
}

/// The state of a logo.
#[derive(Debug)]
pub(crate) struct LogoNote {
    /// CSS class and icon of the note.
    pub(crate) look: (&'static str, &'static str),
    /// The bold part of the note.
    pub(crate) title: &'static str,
    /// The text of the note.
    pub(crate) text: String,
    /// Whether it may be fetched.
    pub(crate) fetchable: bool,
    /// When it was last fetched.
    pub(crate) fetched_at: Option<registry_core::clock::Timestamp>,
}

/// The service that users sign in to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Its URL, if there is one.
    pub(crate) url: Option<&'a str>,
}

impl Consent {
    /// The consent screen of `preview` for users who sign in to `service`. With `fetch` its logos are fetched
    /// first, which takes as long as the third-party servers take; without it no request is sent. `example`: no
    /// server uses it yet.
    pub(crate) async fn of(
        registry: &Registry,
        actor: &Actor,
        service: Service<'_>,
        preview: &Preview,
        example: bool,
        fetch: bool,
    ) -> Result<Self> {
        let mut logos = Vec::new();
        let mut too_soon = None;
        for url in logo_uris(&preview.resolution.effective.client_metadata).into_iter().take(3) {
            if fetch {
                match registry.logos().fetch(actor, &url).await {
                    // A failed fetch must not lose the typed text.
                    Err(error @ registry::Error::TooSoon { .. }) => too_soon = error.retry_after(),
                    fetched => drop(fetched?),
                }
            }
            logos.push(registry.logos().get(actor, &url).await?);
        }
        let mut consent = Self::drawn(&preview.resolution, &logos);
        service.name.clone_into(&mut consent.service);
        consent.host = service.url.and_then(host).unwrap_or_else(|| "the authorization server".to_owned());
        consent.shown_for = (!example).then(|| format!("{}/{}", preview.workspace, preview.server));
        consent.logos.extend(too_soon.map(|seconds| LogoNote {
            look: ("warn", "clock"),
            title: "Not fetched just now.",
            text: format!("Its host was asked often enough for now. Try again in {seconds} s."),
            fetchable: true,
            fetched_at: None,
        }));
        Ok(consent)
    }

    fn drawn(resolution: &Resolution, logos: &[Logo]) -> Self {
        let metadata = &resolution.effective.client_metadata;
        let level = |member: &str| resolution.origins.get(member).map_or("default", |origin| origin.as_str());
        let part = |member: &str| {
            let text = metadata.get(member)?.as_str().filter(|text| !text.trim().is_empty())?;
            Some(Part { text: text.to_owned(), level: level(member) })
        };
        let home =
            part("client_uri").map(|part| Part { text: host(&part.text).unwrap_or(part.text), ..part });
        let scope = metadata.get("scope").and_then(Value::as_str).unwrap_or_default();
        let scopes = scope.split_ascii_whitespace().map(|name| Scope {
            name: name.to_owned(),
            words: scope_words(name),
            level: level("scope"),
        });
        let contacts = metadata.get("contacts").and_then(Value::as_array);
        let contact = contacts.and_then(|list| list.first()).and_then(Value::as_str);
        let picture = logos.first().filter(|logo| part("logo_uri").is_some_and(|one| one.text == logo.url));
        let picture = picture.and_then(|logo| match &logo.state {
            LogoState::Picture { digest, .. } => Some((format!("/ui/logos/{digest}"), level("logo_uri"))),
            _ => None,
        });
        let mut consent = Self {
            service: String::new(),
            host: String::new(),
            shown_for: None,
            name: part("client_name"),
            home,
            scopes: scopes.collect(),
            terms: part("tos_uri"),
            privacy: part("policy_uri"),
            contact: contact.map(|text| Part { text: text.to_owned(), level: level("contacts") }),
            picture,
            logos: logos.iter().map(LogoNote::of).collect(),
            levels: Vec::new(),
            missing: Vec::new(),
            by_hand: resolution.effective.credentials.is_some(),
        };
        consent.levels = LEVELS.iter().map(|one| one.as_str()).filter(|one| consent.uses(one)).collect();
        consent.missing = consent.lacks();
        consent
    }

    /// Whether a drawn value comes from `level`.
    fn uses(&self, level: &str) -> bool {
        let parts = [&self.name, &self.home, &self.terms, &self.privacy, &self.contact];
        parts.into_iter().flatten().any(|part| part.level == level)
            || self.scopes.iter().any(|scope| scope.level == level)
            || self.picture.as_ref().is_some_and(|(_, of)| *of == level)
    }

    fn lacks(&self) -> Vec<&'static str> {
        [
            (self.logos.is_empty(), "No logo: most servers show a letter."),
            (self.home.is_none(), "No home page: users cannot look up who asks."),
            (self.scopes.is_empty(), "No scope: the authorization server decides what is asked for."),
            (self.terms.is_none() && self.privacy.is_none(), "No terms and no privacy policy."),
            (self.terms.is_none() && self.privacy.is_some(), "No terms of service."),
            (self.terms.is_some() && self.privacy.is_none(), "No privacy policy."),
            (self.contact.is_none(), "No contact: some servers ask for one."),
        ]
        .into_iter()
        .filter_map(|(is_missing, sentence)| is_missing.then_some(sentence))
        .collect()
    }

    /// The first letter of the client's name, which most servers show instead of a missing logo.
    pub(crate) fn letter(&self) -> String {
        let first = self.name.as_ref().and_then(|name| name.text.chars().find(|one| one.is_alphanumeric()));
        first.map_or_else(|| "?".to_owned(), |first| first.to_uppercase().collect())
    }

    /// Whether there is a logo that can be fetched.
    pub(crate) fn may_fetch(&self) -> bool {
        self.logos.iter().any(|logo| logo.fetchable)
    }
}

impl LogoNote {
    fn of(logo: &Logo) -> Self {
        let (look, title, text) = match &logo.state {
            LogoState::Unknown => (
                ("", "info"),
                "Logo not fetched yet.",
                format!(
                    "{} has not been asked for. Nothing is loaded from elsewhere by this page.",
                    logo.url
                ),
            ),
            LogoState::Waiting => {
                (("", "clock"), "Logo on its way.", format!("{} is being fetched.", logo.url))
            }
            LogoState::Picture { media_type, pixels, size, labelled: None, .. } => {
                (("", "tick"), "Logo:", format!("{}.", facts(media_type, *pixels, *size)))
            }
            LogoState::Picture { media_type, pixels, size, labelled: Some(labelled), .. } => (
                ("warn", "warn"),
                "Logo sent under another name:",
                format!(
                    "{}, but its server calls it `{}`. Browsers that are told not to guess show nothing: let the server send `{media_type}`.",
                    facts(media_type, *pixels, *size),
                    if labelled.is_empty() { "nothing" } else { labelled },
                ),
            ),
            LogoState::Problem { message, .. } => {
                (("warn", "warn"), "Logo not shown.", format!("{} {message}", logo.url))
            }
        };
        let fetchable =
            !matches!(&logo.state, LogoState::Problem { code, .. } if code == "address_not_allowed");
        Self { look, title, text, fetchable, fetched_at: logo.fetched_at }
    }
}

/// "image/webp, 512×512, 14 kB".
fn facts(media_type: &str, pixels: Option<(u32, u32)>, size: u32) -> String {
    let pixels = pixels.map(|(width, height)| format!(", {width}×{height}")).unwrap_or_default();
    let size = if size < 1000 { format!("{size} bytes") } else { format!("{} kB", (size + 512) / 1024) };
    format!("{media_type}{pixels}, {size}")
}

fn host(url: &str) -> Option<String> {
    Url::parse(url).ok()?.host_str().map(str::to_owned)
}

/// The usual display names of the scopes of OpenID Connect Core §5.4 and §11.
fn scope_words(scope: &str) -> &'static str {
    match scope {
        "openid" => "know who you are",
        "profile" => "see your name and picture",
        "email" => "see your e-mail address",
        "address" => "see your postal address",
        "phone" => "see your telephone number",
        "offline_access" => "keep access while you are away",
        _ => "",
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use registry_core::metadata::{AdvancedConfiguration, Branding, Layer, Level, ResolveContext, resolve};

    fn drawn(integration: &str, server: &str, logos: &[Logo]) -> Consent {
        let integration = AdvancedConfiguration::from_stored(integration).unwrap();
        let server = AdvancedConfiguration::from_stored(server).unwrap();
        let layers = [
            Layer { level: Level::Integration, configuration: &integration },
            Layer { level: Level::Server, configuration: &server },
        ];
        let callbacks = ["http://localhost:8787/oauth/upstream-callback".to_owned()];
        let context = ResolveContext { workspace: "acme", server: "linear", callbacks: &callbacks };
        let branding = Branding { logo_uri: String::new(), client_uri: String::new(), ..Branding::default() };
        Consent::drawn(&resolve(&branding, &layers, &context), logos)
    }

    fn logo(state: LogoState) -> Logo {
        Logo { url: "https://acme.com/l.png".to_owned(), state, fetched_at: None }
    }

    #[test]
    fn consent_parts_have_levels_and_a_legend() {
        let consent = drawn(
            r#"{"oauth_client_metadata": {"client_name": "Acme", "client_uri": "https://acme.com/about", "tos_uri": "https://acme.com/t"}}"#,
            r#"{"oauth_client_metadata": {"scope": "openid mcp:read"}}"#,
            &[],
        );
        let name = consent.name.as_ref().unwrap();
        assert_eq!((name.text.as_str(), name.level), ("Acme", "integration"));
        assert_eq!(consent.home.as_ref().unwrap().text, "acme.com");
        assert_eq!(consent.scopes.iter().map(|one| one.words).collect::<Vec<_>>(), ["know who you are", ""]);
        assert_eq!(consent.levels, ["integration", "server"]);
        assert_eq!(consent.letter(), "A");
        assert_eq!(
            consent.missing,
            [
                "No logo: most servers show a letter.",
                "No privacy policy.",
                "No contact: some servers ask for one."
            ]
        );
    }

    #[test]
    fn logo_is_shown_only_from_the_own_origin() {
        let configuration = r#"{"oauth_client_metadata": {"logo_uri": "https://acme.com/l.png"}}"#;
        let picture = |labelled: Option<&str>| {
            logo(LogoState::Picture {
                digest: "abc".to_owned(),
                media_type: "image/webp".to_owned(),
                pixels: Some((512, 512)),
                size: 14_000,
                labelled: labelled.map(str::to_owned),
            })
        };
        let shown = drawn(configuration, "{}", &[picture(None)]);
        assert_eq!(shown.picture, Some(("/ui/logos/abc".to_owned(), "integration")));
        assert_eq!(shown.logos[0].text, "image/webp, 512×512, 14 kB.");
        assert!(!shown.missing.iter().any(|sentence| sentence.contains("logo")));
        assert!(
            drawn(configuration, "{}", &[picture(Some("text/plain"))]).logos[0].text.contains("`text/plain`")
        );

        let problem = LogoState::Problem { code: "not_found".into(), message: "was not found.".into() };
        let broken = drawn(configuration, "{}", &[logo(problem)]);
        assert_eq!(broken.picture, None);
        assert_eq!(broken.logos[0].text, "https://acme.com/l.png was not found.");
        assert_eq!(drawn(configuration, "{}", &[logo(LogoState::Unknown)]).picture, None);
        assert_eq!(facts("image/svg+xml", None, 900), "image/svg+xml, 900 bytes");
    }
}
