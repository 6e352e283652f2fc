//! What stands around a page's content: side bar, top bar, theme.

use super::flash::flash;
use super::text::{ago, initials};
use crate::assets;
use crate::session::{self, Visitor};
use actix_web::{HttpMessage, HttpRequest};
use registry::{Actor, Overview};
use registry_core::permission::Permission;

/// The name of the cookie that keeps light, dark or system.
pub(crate) const THEME_COOKIE: &str = "mcp_registry_theme";

/// Everything around a page's content.
#[derive(Debug, Clone)]
pub(crate) struct Shell {
    pub(crate) title: String,
    pub(crate) section: &'static str,
    /// Who is signed in.
    pub(crate) actor: Option<Actor>,
    pub(crate) theme: &'static str,
    /// What the side bar counts.
    pub(crate) overview: Overview,
    /// Whether gateways call, in words.
    pub(crate) gateway: String,
    pub(crate) flash: Option<String>,
    pub(crate) path: String,
    pub(crate) version: &'static str,
    pub(crate) icon: String,
    pub(crate) css: String,
    pub(crate) script: String,
    pub(crate) basic: bool,
}

impl Shell {
    /// For pages outside of a session.
    pub(crate) fn plain(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            section: "",
            actor: None,
            theme: "system",
            overview: Overview::default(),
            gateway: String::new(),
            flash: None,
            path: "/ui/integrations".to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            icon: assets::url("icon.svg"),
            css: assets::url("app.css"),
            script: assets::url("app.js"),
            basic: !assets::FULL,
        }
    }

    /// For a visitor; `section` names the item of the side bar.
    pub(crate) fn of(
        request: &HttpRequest,
        visitor: &Visitor,
        section: &'static str,
        title: impl Into<String>,
    ) -> Self {
        let mut shell = Self::plain(title);
        shell.section = section;
        shell.actor = Some(visitor.actor.clone());
        shell.theme = theme(request);
        shell.overview = visitor.overview.clone();
        shell.flash = flash(request);
        request.uri().path().clone_into(&mut shell.path);
        let state = session::state(request);
        shell.version = state.version;
        shell.gateway = visitor.overview.gateway_seen.map_or_else(
            || "no gateway has called yet".to_owned(),
            |seen| format!("gateway called {}", ago(&seen, &state.registry.now())),
        );
        shell
    }

    /// For a page that may be shown with or without a session.
    pub(crate) fn around(request: &HttpRequest, title: impl Into<String>) -> Self {
        let visitor = request.extensions().get::<Visitor>().cloned();
        match visitor {
            Some(visitor) => Self::of(request, &visitor, "", title),
            None => Self::plain(title).themed(request),
        }
    }

    /// The same in the theme this browser chose.
    pub(crate) fn themed(self, request: &HttpRequest) -> Self {
        Self { theme: theme(request), ..self }
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
        self.may(Permission::WriteIntegrations)
    }

    /// Whether keys of the whole organisation may be made.
    pub(crate) fn may_administer(&self) -> bool {
        self.may(Permission::ManageKeys)
            && self.actor.as_ref().is_some_and(|actor| actor.workspace().is_none())
    }

    /// Whether the audit log may be read.
    pub(crate) fn may_audit(&self) -> bool {
        self.may(Permission::ReadAudit)
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
