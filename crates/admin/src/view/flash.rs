//! The message about the action of the previous page.

use actix_web::HttpRequest;
use registry::{Actor, Deleted};
use registry_core::id::RolloutId;

/// The message about the action of the previous page. The URL holds only the key of a message, never its text.
pub(super) fn flash(request: &HttpRequest) -> Option<String> {
    let query = request.query_string();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let (_, done) = pairs.find(|(name, _)| name == "done")?;
    let mut parts = done.split('-');
    let what = parts.next().unwrap_or_default();
    let mut number = || parts.next().and_then(|number| number.parse::<u64>().ok()).unwrap_or_default();
    let count = |number: u64, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    let queued = |all: u64, waiting: u64| match waiting {
        0 => format!("{} queued.", count(all, "registration")),
        _ => format!("{} queued, {waiting} of them for your approval.", count(all, "registration")),
    };
    Some(match what {
        "saved" => format!("Saved as v{}. {}", number(), queued(number(), number())),
        "restored" => {
            format!("Restored v{} as v{}. {}", number(), number(), queued(number(), number()))
        }
        "created" => "Created.".to_owned(),
        "partly" => format!(
            "Created, but {} could not be made. Add what is missing below.",
            count(number(), "server")
        ),
        "draft" => "Saved as a draft. It waits here for 30 days.".to_owned(),
        "discarded" => "The draft is discarded.".to_owned(),
        "forgotten" => {
            "The address changed, so the secrets entered for the old one were forgotten. Enter them again."
                .to_owned()
        }
        "deleted" => format!("Deleted, with {}.", count(number(), "server")),
        "deleting" => format!(
            "Deleted. Gateways no longer serve its {}, which are deleted in the background.",
            count(number(), "server")
        ),
        "sessions" => match number() {
            0 => "There was no other session.".to_owned(),
            ended => format!("Signed out: {}.", count(ended, "session")),
        },
        "role" => "What they may do is changed.".to_owned(),
        "place" => "From now on every page shows what you may see and do there.".to_owned(),
        "deactivated" => "They are signed out everywhere and cannot sign in.".to_owned(),
        "reactivated" => "They may sign in again.".to_owned(),
        "link" => "You are signed in, and the link is used up. Set a password, so that you can come back."
            .to_owned(),
        "revoked" => match number() {
            0 => "The key was revoked already.".to_owned(),
            1 => "The key is revoked.".to_owned(),
            several => format!("{several} keys are revoked."),
        },
        "retry" => "It is tried again now.".to_owned(),
        "reregister" | "approve" => "A new client is being registered.".to_owned(),
        "skip" => "The client is kept as it is. The next change asks again.".to_owned(),
        "withdraw" => "The client is being withdrawn.".to_owned(),
        "retried" => match number() {
            0 => "Nothing failed any more, so nothing is tried again.".to_owned(),
            1 => "1 registration is tried again now.".to_owned(),
            several => format!("{several} registrations are tried again now."),
        },
        "entered" => "The client is entered. It is taken over now.".to_owned(),
        "token" => "The token is kept sealed. It is tried again now.".to_owned(),
        "switched" => match number() {
            0 => "Nothing was switched.".to_owned(),
            switched => format!("Saved: {switched} switched."),
        },
        "off" => "It is off. It stays off when it is seen later.".to_owned(),
        "users" => "User access is saved.".to_owned(),
        "access" => "Workspace access is saved.".to_owned(),
        "changed" => "Saved.".to_owned(),
        "nothing" => "Nothing was ticked, so nothing is done.".to_owned(),
        "queued" => match number() {
            0 => "Nothing needs another try.".to_owned(),
            queued => format!("{} queued.", count(queued, "registration")),
        },
        "enabled" => format!("Enabled: {}.", count(number(), "integration")),
        "disabled" => format!("Disabled: {}.", count(number(), "integration")),
        "imported" => format!("Imported: {}.", count(number(), "integration")),
        "copied" => match number() {
            0 => "Copied. No workspace uses the copy yet.".to_owned(),
            left_out => format!(
                "Copied without {}, which must be entered again. No workspace uses the copy yet.",
                count(left_out, "secret")
            ),
        },
        "tested" => "The connection was tested; see the result below.".to_owned(),
        "added" => "The server is made.".to_owned(),
        "resolved" => "Noted as dealt with.".to_owned(),
        "password" => "Your password is set. Your other sessions have ended.".to_owned(),
        _ => return None,
    })
}

/// The link that follows the message, if there is one.
pub(super) fn flash_link(request: &HttpRequest) -> Option<(String, &'static str)> {
    let done = request.query_string().strip_prefix("done=")?;
    if done == "link" {
        return Some(("/ui/account#password".to_owned(), "Set a password"));
    }
    let (_, rollout) = done.strip_prefix("deleting-")?.split_once('-')?;
    let rollout: RolloutId = rollout.parse().ok()?;
    Some((format!("/ui/rollouts/{rollout}"), "Progress"))
}

/// The message about a deletion: how many servers are deleted along, and where the rest of it is shown to those who may see it.
pub(crate) fn deletion_message(actor: &Actor, deleted: &Deleted) -> String {
    match deleted.rollout {
        None => format!("deleted-{}", deleted.servers),
        Some(id) if actor.workspace().is_none() => format!("deleting-{}-{id}", deleted.servers),
        Some(_) => format!("deleting-{}", deleted.servers),
    }
}
