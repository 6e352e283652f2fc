//! Paths of the hosted product beside MCP, for its SDKs and its Terraform provider: workspaces with their members, users and
//! invitations, keys by kind, secret references. Each is another way to what `/v1` has; `docs/api-design.md` lists what differs.

mod api_keys;
mod invites;
mod members;
mod page;
mod people;
mod secret_references;
mod users;
mod workspaces;

use utoipa_actix_web::service_config::ServiceConfig;

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(workspaces::admin_create_workspace)
        .service(workspaces::admin_list_workspaces)
        .service(workspaces::admin_read_workspace)
        .service(workspaces::admin_update_workspace)
        .service(workspaces::admin_delete_workspace)
        .service(members::add_workspace_members)
        .service(members::list_workspace_members)
        .service(members::read_workspace_member)
        .service(members::update_workspace_member)
        .service(members::remove_workspace_member)
        // Before `/admin/users/{user}`, which would take `invites` for an id.
        .service(invites::create_invite)
        .service(invites::list_invites)
        .service(invites::read_invite)
        .service(invites::delete_invite)
        .service(invites::resend_invite)
        .service(users::admin_list_users)
        .service(users::admin_read_user)
        .service(users::admin_update_user)
        .service(users::admin_delete_user)
        .service(api_keys::create_api_key_of_kind)
        .service(secret_references::list_secret_references)
        .service(secret_references::read_secret_reference)
        .service(secret_references::create_secret_reference)
        .service(secret_references::update_secret_reference)
        .service(secret_references::delete_secret_reference);
}
