//! Secret references: the secrets that the operator declared. They are listed here and declared in the configuration file.

use crate::http::answer::{self, Answer, Listed};
use crate::http::extract::Caller;
use crate::http::responses::{AskProblems, ListProblems, ReadProblems};
use crate::state::ApiState;
use actix_web::{delete, get, post, put, web};
use registry::SecretDeclaration;
use serde::Serialize;
use utoipa::ToSchema;

/// A declared secret. Its value is never shown.
#[derive(Serialize, ToSchema)]
#[schema(as = SecretReference)]
pub(crate) struct SecretReferenceView {
    /// Always `secret-reference`.
    #[schema(example = "secret-reference")]
    object: &'static str,
    /// The name that `secret_mappings` use.
    #[schema(example = "linear")]
    id: String,
    /// The same name.
    #[schema(example = "linear")]
    slug: String,
    /// The same name.
    #[schema(example = "linear")]
    name: String,
    /// Always `operator`: the operator decides where it is kept.
    #[schema(example = "operator")]
    manager_type: &'static str,
    /// Always `ACTIVE`.
    #[schema(example = "ACTIVE")]
    status: &'static str,
    /// Whether every workspace may use it, and integrations of the organisation.
    allow_all_workspaces: bool,
    /// Slugs of the workspaces that may use it, where not all may.
    allowed_workspaces: Vec<String>,
    /// Hosts of MCP servers that it may be sent to; empty: any.
    hosts: Vec<String>,
}

impl From<SecretDeclaration> for SecretReferenceView {
    fn from(secret: SecretDeclaration) -> Self {
        Self {
            object: "secret-reference",
            id: secret.name.clone(),
            slug: secret.name.clone(),
            name: secret.name,
            manager_type: "operator",
            status: "ACTIVE",
            allow_all_workspaces: secret.workspaces.is_none(),
            allowed_workspaces: secret.workspaces.unwrap_or_default(),
            hosts: secret.hosts,
        }
    }
}

impl SecretReferenceView {
    fn example() -> Self {
        SecretDeclaration {
            name: "linear".to_owned(),
            workspaces: None,
            hosts: vec!["mcp.linear.app".to_owned()],
        }
        .into()
    }
}

/// List secret references
///
/// The secrets that the operator declared and that the caller may name in `secret_mappings`.
#[utoipa::path(
    tag = "hosted paths",
    responses((status = 200, description = "The secrets, by name.", body = Listed<SecretReferenceView>, example = json!(Listed::example(SecretReferenceView::example()))), ListProblems)
)]
#[get("/secret-references")]
pub(crate) async fn list_secret_references(state: web::Data<ApiState>, caller: Caller) -> Answer {
    let found = state.registry.configurations().declared_secrets(&caller.actor).await?;
    Ok(answer::ok(&Listed::whole(found.into_iter().map(SecretReferenceView::from).collect())))
}

/// Read a secret reference
#[utoipa::path(
    tag = "hosted paths",
    params(("secret" = String, Path, description = "Name of the secret.", example = "linear")),
    responses((status = 200, description = "The secret, without its value.", body = SecretReferenceView, example = json!(SecretReferenceView::example())), ReadProblems)
)]
#[get("/secret-references/{secret}")]
pub(crate) async fn read_secret_reference(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let found = state.registry.configurations().declared_secret(&caller.actor, &path).await?;
    Ok(answer::ok(&SecretReferenceView::from(found)))
}

macro_rules! refused {
    ($($method:ident $path:literal $name:ident ($($parameters:tt)*) $title:literal;)*) => {
        $(
            #[doc = $title]
            #[doc = ""]
            #[doc = "Always refused with 409: the operator declares secrets in the configuration file."]
            #[utoipa::path(
                tag = "hosted paths",
                $($parameters)*
                responses(AskProblems)
            )]
            #[$method($path)]
            pub(crate) async fn $name(state: web::Data<ApiState>, caller: Caller) -> Answer {
                state.registry.configurations().refuse_declaration(&caller.actor)?;
                Ok(answer::ok(&()))
            }
        )*
    };
}

refused! {
    post "/secret-references" create_secret_reference () "Create a secret reference";
    put "/secret-references/{secret}" update_secret_reference
        (params(("secret" = String, Path, description = "Name of the secret.", example = "linear")),) "Change a secret reference";
    delete "/secret-references/{secret}" delete_secret_reference
        (params(("secret" = String, Path, description = "Name of the secret.", example = "linear")),) "Delete a secret reference";
}
