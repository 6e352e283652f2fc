//! What stands around a page's content: side bar, top bar, theme.

use super::flash::{flash, flash_link};
use super::text::{ago, initials};
use crate::assets;
use crate::http::session::{self, SignedInUser};
use actix_web::http::header::HOST;
use actix_web::{HttpMessage, HttpRequest};
use registry::{Actor, Overview};
use registry_core::permission::Permission;

/// The name of the cookie that keeps light, dark or system.
pub(crate) const THEME_COOKIE: &str = "mcp_registry_theme";
/// The name of the cookie that keeps whether single letters are keys.
pub(crate) const SHORTCUTS_COOKIE: &str = "mcp_registry_keys";

/// Everything around a page's content.
#[derive(Debug, Clone)]
pub(crate) struct Shell {
    pub(crate) title: String,
    pub(crate) section: &'static str,
    /// Who is signed in.
    pub(crate) actor: Option<Actor>,
    pub(crate) theme: &'static str,
    /// Whether single letters are keys.
    pub(crate) letters: bool,
    /// What the side bar counts.
    pub(crate) overview: Overview,
    pub(crate) flash: Option<String>,
    /// Where that leads on: the address, and what the button says.
    pub(crate) flash_link: Option<(&'static str, &'static str)>,
    pub(crate) path: String,
    pub(crate) version: &'static str,
    pub(crate) icon: String,
    pub(crate) css: String,
    pub(crate) script: String,
    /// Live parts of pages, of the enhancement layer.
    pub(crate) live: Option<String>,
    /// The JSON editor, of the enhancement layer; only pages with an editor load it.
    pub(crate) editor: Option<String>,
    pub(crate) basic: bool,
    /// Whether passwords and sessions travel in the clear.
    pub(crate) insecure: bool,
    /// What is known of the gateways, for the foot.
    pub(crate) gateway: String,
}

impl Shell {
    /// For pages outside of a session.
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

    /// The same in the theme this browser chose.
    pub(crate) fn themed(self, request: &HttpRequest) -> Self {
        Self { theme: theme(request), insecure: insecure(request), ..self }
    }

    /// What the theme button does: the next theme, and its name for people.
    pub(crate) fn next_theme(&self) -> &'static str {
        match self.theme {
            "system" => "light",
            "light" => "dark",
            _ => "system",
        }
    }

    /// The icon of the present theme.
    pub(crate) fn theme_icon(&self) -> &'static str {
        match self.theme {
            "light" => "sun",
            "dark" => "moon",
            _ => "half",
        }
    }

    /// Whether somebody is signed in who may do this.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.actor.as_ref().is_some_and(|actor| actor.can(permission))
    }

    /// Whether integrations may be added and changed.
    pub(crate) fn may_write(&self) -> bool {
        self.may(Permission::CreateIntegrations)
    }

    /// Whether keys of the whole organisation may be made.
    pub(crate) fn may_administer(&self) -> bool {
        self.may(Permission::ManageKeys)
            && self.actor.as_ref().is_some_and(|actor| actor.workspace().is_none())
    }

    /// Whether people may be invited and changed.
    pub(crate) fn may_manage_people(&self) -> bool {
        self.may_see_settings() && self.may(Permission::ManagePeople)
    }

    /// Whether the audit log may be read.
    pub(crate) fn may_audit(&self) -> bool {
        self.may_administer() && self.may(Permission::ReadAudit)
    }

    /// Whether the settings of the whole organisation may be looked at.
    pub(crate) fn may_see_settings(&self) -> bool {
        self.actor.as_ref().is_some_and(|actor| actor.workspace().is_none())
    }

    /// Two letters for the account badge.
    pub(crate) fn initials(&self) -> String {
        initials(self.actor.as_ref().map_or("", Actor::name))
    }
}

/// The theme this browser chose.
fn theme(request: &HttpRequest) -> &'static str {
    match request.cookie(THEME_COOKIE).as_ref().map(actix_web::cookie::Cookie::value) {
        Some("light") => "light",
        Some("dark") => "dark",
        _ => "system",
    }
}

/// Whether this browser reached us without TLS from another machine. Cookies for https only mean that a proxy in front
/// speaks TLS; this very machine is no network.
fn insecure(request: &HttpRequest) -> bool {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(host, |(name, _)| name);
    let here = name == "localhost" || name == "[::1]" || name.starts_with("127.");
    !session::state(request).secure_cookies && !here
}

/// When a gateway last asked for something.
fn gateway(signed_in: &SignedInUser) -> String {
    match &signed_in.overview.gateway_seen_at {
        Some(moment) => format!("gateway seen {}", ago(moment, &signed_in.registry.now())),
        None => "no gateway seen yet".to_owned(),
    }
}
