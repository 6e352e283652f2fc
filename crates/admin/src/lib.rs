//! Pages for people over `Registry`: forms, sessions, assets.
//!
//! This crate must not know sea-orm, reqwest, utoipa or the REST crate: a handler asks [`registry::Registry`] and
//! renders a template of `templates/`.
//!
//! A tour in five lines:
//! * [`configure`] mounts everything below `/ui`; it works without JavaScript.
//! * `session` turns a cookie into a visitor, `gate` does so before every page, `origin` keeps other sites' forms out, `nul` a character that cannot be stored, `headers` says what a page may do.
//! * `assets` are our own CSS and script, embedded by `build.rs`; `view` holds what all templates share.
//! * `failure` turns an error of the application into a page.
//! * `pages/<noun>.rs` holds a noun's pages, each with its template in `templates/pages/`.

mod assets;
mod choice;
mod consent;
mod diff;
mod failure;
mod gate;
mod guard;
mod headers;
mod nul;
mod origin;
mod pages;
mod sent;
mod session;
mod view;

use actix_web::middleware::from_fn;
use actix_web::web;
use registry::Registry;

/// What the pages need. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AdminState {
    /// The application.
    pub registry: Registry,
    /// Whether session cookies are for https only; then they also carry the `__Host-` prefix.
    pub secure_cookies: bool,
    /// The version shown in the foot.
    pub version: &'static str,
    /// Whether the pages do without the enhancement layer, although it may be built in.
    pub basic: bool,
}

/// The longest form that is read: an Advanced Configuration of 256 KiB, percent-encoded.
const MOST_FORM_BYTES: usize = 1024 * 1024;

/// Mounts the pages at `/ui`.
pub fn configure(config: &mut web::ServiceConfig, state: AdminState) {
    // On the whole app: what stands before the pages needs it too.
    config.app_data(web::Data::new(state));
    config.route("/ui", web::get().to(async || web::Redirect::to("/ui/integrations").see_other())).service(
        web::scope("/ui")
            .app_data(web::FormConfig::default().limit(MOST_FORM_BYTES).error_handler(failure::form))
            .app_data(web::QueryConfig::default().error_handler(failure::query))
            .app_data(web::PathConfig::default().error_handler(failure::path))
            .service(assets::serve)
            .configure(pages::routes)
            .default_service(web::to(failure::nothing_here))
            .wrap(from_fn(nul::refuse))
            .wrap(from_fn(gate::admit))
            .wrap(from_fn(origin::guard))
            .wrap(from_fn(guard::guard))
            .wrap(from_fn(headers::harden)),
    );
}
