//! The keyboard shortcuts, and the switch for single letters (WCAG 2.1.4).

use crate::http::failure::Failure;
use crate::http::session::{SignedInUser, kept};
use crate::view::{SHORTCUTS_COOKIE, Shell, go, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use serde::Deserialize;

/// Mounts the routes of these pages.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(show).service(switch);
}

/// Keys, the page they work on, and their action.
const LISTS: [(&str, &[(&str, &str)]); 3] = [
    (
        "Everywhere but in fields",
        &[
            ("/", "Go to a thing by its name"),
            ("Ctrl K", "Command palette: go to a thing, or do something"),
            ("g i", "Integrations"),
            ("g r", "Registrations"),
            ("g w", "Workspaces"),
            ("g a", "Audit log"),
            ("?", "This page"),
        ],
    ),
    (
        "In lists",
        &[("j", "Next row"), ("k", "Previous row"), ("Enter", "Open the row"), ("x", "Tick the row")],
    ),
    (
        "In the editor",
        &[
            ("Ctrl S", "Save"),
            ("Ctrl Space", "Suggest members and values"),
            ("F8", "Next problem"),
            ("Ctrl Shift M", "List of problems"),
            ("Tab", "Leaves the editor"),
            ("Esc", "Closes a suggestion or a menu"),
        ],
    ),
];

#[derive(Template)]
#[template(path = "pages/shortcuts.html")]
struct Page {
    shell: Shell,
}

#[get("/keys")]
async fn show(request: HttpRequest, signed_in: SignedInUser) -> Result<HttpResponse, Failure> {
    Ok(html(StatusCode::OK, &Page { shell: Shell::of(&request, &signed_in, "", "Keys") })?)
}

#[derive(Deserialize)]
struct Letters {
    letters: Switch,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Switch {
    On,
    Off,
}

#[post("/keys")]
async fn switch(form: web::Form<Letters>) -> HttpResponse {
    let mut response = go("/ui/keys?done=changed");
    let chosen = match form.letters {
        Switch::On => "on",
        Switch::Off => "off",
    };
    drop(response.add_cookie(&kept(SHORTCUTS_COOKIE, chosen)));
    response
}
