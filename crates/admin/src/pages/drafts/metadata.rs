//! Step 3: the Advanced Configuration, which may stay empty.

use super::{Problem, Wizard, onwards, open};
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::pages::configuration::preview::sent::Table;
use crate::view::{KnownServerBox, Shell, html, pretty};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{Draft, DraftStep, Error, Preview};
use registry_core::finding::{Finding, Findings, Severity};
use registry_core::id::DraftId;
use registry_core::metadata::{ALIAS_WRAPPER, CANONICAL_WRAPPER, KnownSecrets, read_members, set_member};
use serde::Deserialize;
use serde_json::{Value, json};

/// Mounts the routes of these pages.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(show).service(submit);
}

#[derive(Template)]
#[template(path = "pages/drafts/metadata.html")]
struct Page {
    shell: Shell,
    wizard: Wizard,
    text: String,
    /// The URL of the page where secrets are stored.
    sealed: Vec<String>,
    findings: Vec<Finding>,
    checked: bool,
    /// What a button did to the text, in sentences; empty: nothing.
    said: String,
    known: Option<KnownServerBox>,
    shown: Option<Preview>,
    table: Table,
}

impl Page {
    fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error).count()
    }

    fn lines(&self) -> usize {
        (self.text.lines().count() + 1).clamp(12, 40)
    }

    /// What is sent when the configuration is empty, as the text that would set it.
    fn placeholder(&self) -> String {
        let Some(preview) = &self.shown else { return String::new() };
        let mut members = preview.resolution.effective.client_metadata.clone();
        members.shift_remove("redirect_uris");
        pretty(&json!({ CANONICAL_WRAPPER: members }))
    }

    #[expect(clippy::unused_self, reason = "called from the template")]
    fn starts(&self) -> [Start; 3] {
        Start::ALL
    }
}

/// The documented examples.
#[derive(Clone, Copy)]
struct Start {
    word: &'static str,
    name: &'static str,
}

impl Start {
    const ALL: [Self; 3] = [
        Self { word: "insert-branding", name: "Branding" },
        Self { word: "insert-compliance", name: "Compliance" },
        Self { word: "insert-scopes", name: "Scopes" },
    ];
}

impl Intent {
    /// The client metadata that a button inserts, if it is such a button.
    fn example(self) -> Option<Value> {
        Some(match self {
            Self::InsertBranding => json!({
                "client_name": "Your Company Name",
                "client_uri": "https://yourcompany.com",
                "logo_uri": "https://yourcompany.com/logo.png",
            }),
            Self::InsertCompliance => json!({
                "client_name": "Acme Corp MCP Gateway",
                "client_uri": "https://acme.com",
                "logo_uri": "https://acme.com/assets/logo.png",
                "software_id": "com.acme.mcp-gateway",
                "software_version": "1.0.0",
                "scope": "mcp:read mcp:write",
                "contacts": ["security@acme.com", "legal@acme.com"],
                "tos_uri": "https://acme.com/legal/terms",
                "policy_uri": "https://acme.com/legal/privacy",
            }),
            Self::InsertScopes => json!({ "scope": "read:projects write:issues admin:webhooks" }),
            Self::Go | Self::Draft | Self::Check | Self::Preset => return None,
        })
    }
}

/// `text` with the members of `example` that it does not set yet, everything else unchanged; `None` if members
/// cannot be added.
fn with_example(text: &str, example: &Value) -> Option<String> {
    let members = read_members(text)?;
    let wrapper = if members.contains_key(ALIAS_WRAPPER) { ALIAS_WRAPPER } else { CANONICAL_WRAPPER };
    let present = members.get(wrapper).and_then(Value::as_object);
    let mut text = text.to_owned();
    for (name, value) in example.as_object()? {
        if present.is_none_or(|present| !present.contains_key(name)) {
            text = set_member(&text, &format!("/{wrapper}/{name}"), value)?;
        }
    }
    Some(text)
}

#[derive(Debug, Deserialize)]
struct Submitted {
    configuration: String,
    #[serde(default)]
    intent: Intent,
}

/// The button.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Intent {
    #[default]
    Go,
    /// Saves the draft and returns to the list.
    Draft,
    /// Validates and saves nothing.
    Check,
    InsertBranding,
    InsertCompliance,
    InsertScopes,
    /// Adds the settings of the known server; saves nothing.
    Preset,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    /// Shows the text with the settings of the known server.
    preset: bool,
}

/// The text with the settings of the draft's known server, and what became of each setting. The text as it is if the
/// server is not known, needs no settings, or if the text cannot be read.
fn with_preset(draft: &Draft, text: String) -> (String, String) {
    let Some(preset) = draft.known_server().and_then(|known| known.preset) else {
        return (text, String::new());
    };
    match preset.apply(&text, draft.approach) {
        Some(applied) => {
            let said = applied.sentence();
            (applied.text, said)
        }
        None => (text, "The settings cannot be added to this text. Fix the findings first.".to_owned()),
    }
}

#[get("/drafts/{draft}/metadata")]
async fn show(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<DraftId>,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    match open(&signed_in, &path).await? {
        Ok(draft) => {
            let mut text = draft.configuration.clone().unwrap_or_default();
            let mut advice = AdviceText::default();
            if query.preset {
                (text, advice.said) = with_preset(&draft, text);
            }
            render(&request, &signed_in, draft, text, advice).await
        }
        Err(elsewhere) => Ok(elsewhere),
    }
}

#[post("/drafts/{draft}/metadata")]
async fn submit(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<DraftId>,
    form: web::Form<Submitted>,
) -> Result<HttpResponse, Failure> {
    let draft = match open(&signed_in, &path).await? {
        Ok(draft) => draft,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let form = form.into_inner();
    // Browsers send line ends as CR LF; the stored text has those that the user typed.
    let mut text = form.configuration.replace("\r\n", "\n");
    let looks_on = !matches!(form.intent, Intent::Go | Intent::Draft);
    if looks_on {
        if let Some(more) = form.intent.example().and_then(|example| with_example(&text, &example)) {
            text = more;
        }
        if form.intent == Intent::Preset {
            let (text, said) = with_preset(&draft, text);
            let advice = AdviceText { said, ..AdviceText::default() };
            return render(&request, &signed_in, draft, text, advice).await;
        }
        return render(
            &request,
            &signed_in,
            draft,
            text,
            AdviceText { checked: true, ..AdviceText::default() },
        )
        .await;
    }
    let new = Some(text.as_str()).filter(|text| !text.trim().is_empty());
    match signed_in.registry.drafts().set_configuration(&signed_in.actor, draft.id, new).await {
        Ok(_) => Ok(onwards(form.intent == Intent::Draft, draft.id, DraftStep::Workspaces)),
        Err(Error::Invalid(refused)) => {
            render(&request, &signed_in, draft, text, AdviceText { refused, ..AdviceText::default() }).await
        }
        Err(error) => Err(error.into()),
    }
}

/// The result of the previous request.
#[derive(Default)]
struct AdviceText {
    checked: bool,
    /// What a button did to the text, in sentences.
    said: String,
    /// Why it was not saved.
    refused: Findings,
}

async fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    draft: Draft,
    text: String,
    advice: AdviceText,
) -> Result<HttpResponse, Failure> {
    let checked = signed_in.registry.drafts().check(&signed_in.actor, draft.id, Some(&text)).await?;
    // When the text cannot be parsed, the table shows the stored one.
    let shown = match checked.preview {
        Some(preview) => Some(preview),
        None => signed_in.registry.drafts().check(&signed_in.actor, draft.id, None).await?.preview,
    };
    let mut findings = checked.findings.0;
    for finding in &advice.refused {
        let known = |other: &Finding| other.code == finding.code && other.pointer == finding.pointer;
        if !findings.iter().any(known) {
            findings.push(finding.clone());
        }
    }
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.line));
    let problems = if advice.refused.has_errors() {
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
        errors.map(|finding| Problem::of(finding.clone(), |_| "configuration".to_owned())).collect()
    } else {
        Vec::new()
    };
    let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let wizard = Wizard::of(&draft, DraftStep::Metadata, problems);
    let known = draft.configuration.as_deref().map(KnownSecrets::of).unwrap_or_default();
    let page = Page {
        shell: Shell::of(request, signed_in, "integrations", wizard.title("client metadata")),
        wizard,
        sealed: known.0.into_keys().collect(),
        table: shown.as_ref().map(|preview| Table::of(&preview.resolution, true)).unwrap_or_default(),
        checked: advice.checked,
        said: advice.said,
        known: draft.known_server().map(|known| KnownServerBox::of(known, &text, draft.approach, "preset")),
        shown,
        findings,
        text,
    };
    Ok(html(status, &page)?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn example(word: &str) -> Value {
        crate::http::choice::find::<Intent>(word).and_then(Intent::example).unwrap()
    }

    #[test]
    fn example_adds_unset_members_and_replaces_none() {
        for start in Start::ALL {
            let text = with_example("", &example(start.word)).unwrap();
            let verified = registry_core::metadata::verify(&text, &KnownSecrets::default());
            assert!(verified.findings.is_empty(), "{}: {:?}", start.word, verified.findings);
        }
        let text = with_example(
            r#"{"tools":["a"],"oauth_metadata":{"scope":"mine"}}"#,
            &example("insert-compliance"),
        );
        let value: Value = serde_json::from_str(&text.unwrap()).unwrap();
        assert_eq!(value["oauth_metadata"]["scope"], "mine");
        assert_eq!(value["oauth_metadata"]["software_version"], "1.0.0");
        assert_eq!(value["tools"], json!(["a"]));
        assert_eq!(with_example("[1", &json!({})), None, "what cannot be read is left alone");
    }
}
