//! The four levels by their paths: the scope of a request, and the paths of its pages.

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::configuration::scope::{PageScope, of_access, of_integration, of_organisation, of_server};
use actix_web::HttpRequest;

/// The path prefix of each level.
pub(super) const LEVELS: [&str; 4] = [
    "/integrations/{integration}",
    "/workspaces/{workspace}/integrations/{integration}",
    "/workspaces/{workspace}/servers/{server}",
    "/settings/organisation",
];

impl PageScope {
    /// The scope of `request`.
    pub(super) async fn of_request(request: &HttpRequest, signed_in: &SignedInUser) -> Result<Self, Failure> {
        let path = request.match_info();
        match (path.get("workspace"), path.get("integration"), path.get("server")) {
            (Some(workspace), _, Some(server)) => of_server(signed_in, workspace, server).await,
            (Some(workspace), Some(integration), None) => of_access(signed_in, workspace, integration).await,
            (None, Some(integration), None) => of_integration(signed_in, integration).await,
            _ => Ok(of_organisation(signed_in)),
        }
    }

    /// The path of its history.
    pub(super) fn history(&self) -> String {
        format!("{}/history", self.action.strip_suffix("/config").unwrap_or(&self.action))
    }
}
