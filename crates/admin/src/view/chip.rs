//! Small pieces of markup that look the same on every page: levels, states, methods, copy buttons.

use super::icon::icon;
use super::text::{capital, escape};
use registry_core::finding::{Finding, Severity};
use registry_core::registration::{AttemptOutcome, AuthType, RegistrationMethod, State};
use std::fmt::Write as _;

/// The level a value comes from, as a chip with a drawing of the five levels.
pub(crate) fn level(origin: &str) -> String {
    level_chip(origin, &capital(origin))
}

/// The same with another label.
pub(crate) fn level_chip(origin: &str, words: &str) -> String {
    let position = ["default", "organisation", "integration", "workspace", "server"]
        .iter()
        .position(|one| *one == origin);
    let mut chip = format!(r#"<span class="lv {}">"#, escape(origin));
    match position {
        Some(position) => {
            chip.push_str(r#"<svg viewBox="0 0 13 14" aria-hidden="true">"#);
            let bars = [("11.6", 5), ("8.8", 7), ("6", 9), ("3.2", 11), ("0.4", 13)];
            for (index, (y, width)) in bars.iter().enumerate() {
                let on = if index == position { r#" class="on""# } else { "" };
                // Writing to a string cannot fail.
                let _ = write!(chip, r#"<rect x="0" y="{y}" width="{width}" height="1.9" rx="0.9"{on}/>"#);
            }
            chip.push_str("</svg>");
        }
        None => chip += &icon(if origin == "ignored" { "cross" } else { "lock" }),
    }
    chip + &escape(words) + "</span>"
}

/// The number of client metadata members that an integration sets, as the chip of its level.
pub(crate) fn fields(count: usize) -> String {
    level_chip("integration", &format!("{count} field{}", if count == 1 { "" } else { "s" }))
}

/// A button that copies `text`; hidden without JavaScript.
pub(crate) fn copy(text: &str, label: &str) -> String {
    let (text, label, icon) = (escape(text), escape(label), icon("copy"));
    format!(
        r#"<button class="copy" type="button" data-text="{text}" aria-label="{label}" hidden>{icon}</button>"#
    )
}

/// One of five hues for an object without a logo; the same name gives the same hue.
pub(crate) fn hue(name: &str) -> &'static str {
    let sum: usize = name.bytes().map(usize::from).sum();
    ["a", "b", "c", "d", "e"][sum % 5]
}

/// A state as icon, label and colour.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "askama passes references")]
pub(crate) fn state(state: &State) -> String {
    let (class, name) = state_look(state);
    format!(r#"<span class="st {class}">{}{}</span>"#, icon(name), capital(state.as_str()))
}

/// Class and icon of a state.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "askama passes references")]
pub(crate) fn state_look(state: &State) -> (&'static str, &'static str) {
    match state {
        State::Registered => ("ok", "tick"),
        State::Queued => ("", "clock"),
        State::Registering | State::Withdrawing => ("info", "ring"),
        State::Outdated => ("info", "approx"),
        State::Retrying => ("warn", "turn"),
        State::Unconfirmed => ("warn", "ask"),
        State::Failed => ("bad", "bad"),
        State::Withdrawn => ("", "cross"),
    }
}

/// Class and icon of an attempt's outcome.
pub(crate) fn outcome_look(outcome: AttemptOutcome) -> (&'static str, &'static str) {
    match outcome {
        AttemptOutcome::Succeeded => ("ok", "tick"),
        AttemptOutcome::Pending => ("info", "ring"),
        AttemptOutcome::Lost => ("warn", "ask"),
        AttemptOutcome::Failed => ("bad", "bad"),
    }
}

/// The display name of an authentication type.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "askama passes references")]
pub(crate) fn auth(auth_type: &AuthType) -> &'static str {
    match auth_type {
        AuthType::OauthAuto => "OAuth 2.1",
        AuthType::OauthClientCredentials => "Client credentials",
        AuthType::Headers => "Headers",
        AuthType::None => "None",
    }
}

/// The display name of a registration method.
#[expect(clippy::trivially_copy_pass_by_ref, clippy::ref_option, reason = "askama passes references")]
pub(crate) fn method(method: &Option<RegistrationMethod>) -> &'static str {
    method.as_ref().map_or("–", method_name)
}

/// The display name of a known method.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "askama passes references")]
pub(crate) fn method_name(method: &RegistrationMethod) -> &'static str {
    match method {
        RegistrationMethod::Dcr => "Dynamic registration",
        RegistrationMethod::PreRegistered => "Registered by hand",
        RegistrationMethod::Cimd => "Metadata document",
    }
}

/// A finding as CSS class, icon and label.
pub(crate) fn finding_look(finding: &Finding) -> (&'static str, String) {
    match finding.severity {
        Severity::Error => ("bad", icon("bad")),
        Severity::Warning => ("warn", icon("warn")),
        Severity::Notice => ("info", icon("info")),
    }
}
