//! Pages for users over `Registry`: forms, sessions, assets.
//!
//! This crate must not know sea-orm, reqwest, utoipa or the REST crate: a handler asks [`registry::Registry`] and
//! renders a template of `templates/`.
//!
//! The modules:
//! * [`configure`] mounts everything below `/ui`; it works without JavaScript.
//! * `http` is shared by all pages: `session` turns a cookie into a signed-in user, `guard` has the limits, `origin` refuses
//!   forms of other sites, `nul` a character that cannot be stored, `headers` restricts what a page may do.
//! * `assets` are the CSS and scripts, embedded by `build.rs`; `view` is shared by all templates.
//! * `pages/<noun>` holds the pages of a noun, each with its template in `templates/pages/`; `pages/failure` makes the page
//!   for an error, `pages/sign_in/session_gate` authenticates before each page.

mod assets;
mod http;
mod pages;
mod state;
mod view;

use actix_web::middleware::from_fn;
use actix_web::web;
use http::{failure, guard, nul, origin};
use pages::failure as failure_pages;
use pages::sign_in::session_gate;
use state::MAX_FORM_BYTES;

pub use state::AdminState;

/// Mounts the pages at `/ui`.
pub fn configure(config: &mut web::ServiceConfig, state: AdminState) {
    // On the whole app: the middleware before the pages needs it too.
    config.app_data(web::Data::new(state));
    config.route("/ui", web::get().to(async || web::Redirect::to("/ui/integrations").see_other())).service(
        web::scope("/ui")
            .app_data(web::FormConfig::default().limit(MAX_FORM_BYTES).error_handler(failure::form))
            .app_data(web::QueryConfig::default().error_handler(failure::query))
            .app_data(web::PathConfig::default().error_handler(failure::path))
            .service(assets::serve)
            .configure(pages::routes)
            .default_service(web::to(failure_pages::not_found))
            .wrap(from_fn(nul::refuse))
            .wrap(from_fn(session_gate::load_session))
            .wrap(from_fn(origin::refuse_other_sites))
            .wrap(from_fn(guard::limit_requests))
            .wrap(from_fn(failure_pages::render_failures)),
    );
}
