//! The frame around the content of a page: side bar, top bar, theme.

use super::flash::{flash, flash_link};
use super::text::{ago, initials};
use crate::assets;
use crate::http::session::{self, SignedInUser};
use actix_web::http::header::HOST;
use actix_web::{HttpMessage, HttpRequest};
use registry::{Actor, Overview};
use registry_core::permission::Permission;

/// Name of the cookie that stores the theme: light, dark or system.
pub(crate) const THEME_COOKIE: &str = "mcp_registry_theme";
/// Name of the cookie that stores whether single-letter shortcuts are enabled.
pub(crate) const SHORTCUTS_COOKIE: &str = "mcp_registry_keys";

/// The frame around the content of a page.
#[derive(Debug, Clone)]
pub(crate) struct Shell {
    pub(crate) title: String,
    pub(crate) section: &'static str,
    /// The signed-in user; `None` on pages without a session.
    pub(crate) actor: Option<Actor>,
    pub(crate) theme: &'static str,
    /// Whether single-letter shortcuts are enabled.
    pub(crate) letters: bool,
    /// The counts in the side bar.
    pub(crate) overview: Overview,
    pub(crate) flash: Option<String>,
    /// Address and label of the button that follows the message.
    pub(crate) flash_link: Option<(String, &'static str)>,
    pub(crate) path: String,
    pub(crate) version: &'static str,
    pub(crate) icon: String,
    pub(crate) css: String,
    pub(crate) script: String,
    /// The script that asks before unsaved text is lost.
    pub(crate) unsaved: String,
    /// The script of the command palette.
    pub(crate) palette: String,
    /// The script for live parts of pages (enhancement layer).
    pub(crate) live: Option<String>,
    /// The script of the JSON editor (enhancement layer); only pages with an editor load it.
    pub(crate) editor: Option<String>,
    pub(crate) basic: bool,
    /// Whether passwords and sessions are sent without TLS.
    pub(crate) insecure: bool,
    /// When a gateway last made a request, for the footer.
    pub(crate) gateway: String,
}

impl Shell {
    /// For pages without a session.
    pub(crate) fn plain(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            section: "",
            actor: None,
            theme: "system",
            letters: true,
            overview: Overview::default(),
            flash: None,
            flash_link: None,
            path: "/ui/integrations".to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            icon: assets::url("icon.svg"),
            css: assets::url("app.css"),
            script: assets::url("app.js"),
            unsaved: assets::url("unsaved.js"),
            palette: assets::url("palette.js"),
            live: None,
            editor: None,
            basic: true,
            insecure: false,
            gateway: String::new(),
        }
    }

    /// For the signed-in user; `section` names the item of the side bar.
    pub(crate) fn of(
        request: &HttpRequest,
        signed_in: &SignedInUser,
        section: &'static str,
        title: impl Into<String>,
    ) -> Self {
        let mut shell = Self::plain(title);
        shell.section = section;
        shell.actor = Some(signed_in.actor.clone());
        shell.theme = theme(request);
        shell.letters = request.cookie(SHORTCUTS_COOKIE).is_none_or(|cookie| cookie.value() != "off");
        shell.overview = signed_in.overview.clone();
        shell.flash = flash(request);
        shell.flash_link = flash_link(request);
        request.uri().path().clone_into(&mut shell.path);
        let state = session::state(request);
        shell.version = state.version;
        if assets::FULL && !state.basic {
            shell.basic = false;
            shell.live = Some(assets::url("live.js"));
            shell.editor = Some(assets::url("editor.js"));
        }
        shell.insecure = insecure(request);
        shell.gateway = gateway(signed_in);
        shell
    }

    /// For a page that may be shown with or without a session.
    pub(crate) fn around(request: &HttpRequest, title: impl Into<String>) -> Self {
        let signed_in = request.extensions().get::<SignedInUser>().cloned();
        match signed_in {
            Some(signed_in) => Self::of(request, &signed_in, "", title),
            None => Self::plain(title).themed(request),
        }
    }

    /// The same, in the theme of this browser.
    pub(crate) fn themed(self, request: &HttpRequest) -> Self {
        Self { theme: theme(request), insecure: insecure(request), ..self }
    }

    /// The label of the theme button: the next theme.
    pub(crate) fn next_theme(&self) -> &'static str {
        match self.theme {
            "system" => "light",
            "light" => "dark",
            _ => "system",
        }
    }

    /// The icon of the current theme.
    pub(crate) fn theme_icon(&self) -> &'static str {
        match self.theme {
            "light" => "sun",
            "dark" => "moon",
            _ => "half",
        }
    }

    /// Whether the signed-in user has this permission.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.actor.as_ref().is_some_and(|actor| actor.can(permission))
    }

    /// Whether the user may create and change integrations.
    pub(crate) fn may_write(&self) -> bool {
        self.may(Permission::CreateIntegrations)
    }

    /// Whether the user may create API keys of the whole organisation.
    pub(crate) fn may_administer(&self) -> bool {
        self.may(Permission::ManageKeys)
            && self.actor.as_ref().is_some_and(|actor| actor.workspace().is_none())
    }

    /// Whether the user may invite and change users.
    pub(crate) fn may_manage_users(&self) -> bool {
        self.may_see_settings() && self.may(Permission::ManagePeople)
    }

    /// Whether the user may read the audit log.
    pub(crate) fn may_audit(&self) -> bool {
        self.may_administer() && self.may(Permission::ReadAudit)
    }

    /// Whether the user may view the settings of the whole organisation.
    pub(crate) fn may_see_settings(&self) -> bool {
        self.actor.as_ref().is_some_and(|actor| actor.workspace().is_none())
    }

    /// The id of the signed-in user, whom drafts in the browser belong to.
    pub(crate) fn user(&self) -> Option<&str> {
        self.actor.as_ref().and_then(Actor::id)
    }

    /// The user's initials for the account badge.
    pub(crate) fn initials(&self) -> String {
        initials(self.actor.as_ref().map_or("", Actor::name))
    }
}

/// The theme of this browser.
fn theme(request: &HttpRequest) -> &'static str {
    match request.cookie(THEME_COOKIE).as_ref().map(actix_web::cookie::Cookie::value) {
        Some("light") => "light",
        Some("dark") => "dark",
        _ => "system",
    }
}

/// Whether this browser reached the server without TLS from another machine. Secure cookies mean that a proxy in
/// front terminates TLS; loopback is not a network.
fn insecure(request: &HttpRequest) -> bool {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(host, |(name, _)| name);
    let here = name == "localhost" || name == "[::1]" || name.starts_with("127.");
    !session::state(request).secure_cookies && !here
}

/// When a gateway last made a request.
fn gateway(signed_in: &SignedInUser) -> String {
    match &signed_in.overview.gateway_seen_at {
        Some(moment) => format!("gateway seen {}", ago(moment, &signed_in.registry.now())),
        None => "no gateway seen yet".to_owned(),
    }
}
