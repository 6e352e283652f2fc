//! The five levels beside the one the page is about, each with a link to its page.

use crate::pages::configuration::scope::PageScope;
use registry::Preview;
use registry_core::metadata::Level;

/// One level.
#[derive(Debug)]
pub(super) struct LayerTab {
    /// The wire name of the level.
    pub(super) level: &'static str,
    /// The label, with the name of its object.
    pub(super) words: String,
    /// Its page, if there is one that the user may open.
    pub(super) link: Option<String>,
    /// Whether the page is about this level.
    pub(super) is_here: bool,
}

/// All five, lowest first. Levels above that of the page belong to the server of the preview.
pub(super) fn layer_tabs(
    scope: &PageScope,
    shown: Option<&Preview>,
    sees_organisation: bool,
) -> Vec<LayerTab> {
    let real = shown.filter(|preview| preview.integration.is_some());
    let integration = scope.integration.clone().or_else(|| real.and_then(|one| one.integration.clone()));
    let workspace = scope.workspace.clone().or_else(|| real.map(|one| one.workspace.clone()));
    let server = scope.server.clone().or_else(|| real.map(|one| one.server.clone()));
    let named = |word: &str, name: Option<&String>| match name {
        Some(name) => format!("{word} {name}"),
        None => word.to_owned(),
    };
    let pair = workspace.as_ref().zip(server.as_ref());
    let access = workspace.as_ref().zip(integration.as_ref());
    let tabs = [
        (Level::Default, "Default".to_owned(), Some("/ui/settings".to_owned())),
        (
            Level::Organisation,
            "Organisation".to_owned(),
            sees_organisation.then(|| "/ui/settings/organisation".to_owned()),
        ),
        (
            Level::Integration,
            named("Integration", integration.as_ref()),
            integration.as_ref().map(|slug| format!("/ui/integrations/{slug}/config")),
        ),
        (
            Level::Workspace,
            named("Workspace", workspace.as_ref()),
            access.map(|(team, slug)| format!("/ui/workspaces/{team}/integrations/{slug}/config")),
        ),
        (
            Level::Server,
            named("Server", pair.map(|(team, slug)| format!("{team} / {slug}")).as_ref()),
            pair.map(|(team, slug)| format!("/ui/workspaces/{team}/servers/{slug}/config")),
        ),
    ];
    tabs.into_iter()
        .map(|(level, words, link)| LayerTab {
            level: level.as_str(),
            words,
            link,
            is_here: level == scope.layer,
        })
        .collect()
}
