//! Members of Advanced Configurations that come from where the operator keeps secrets: declared by name in the
//! configuration file, mapped by name to a member (`portkey.md` §2.2), read outside of any transaction, kept sealed like
//! every other secret, and read again by the worker.

use crate::entity::{integration, sealed_value, secret_mapping, server, workspace};
use crate::layers::{Before, Scope};
use crate::outside::SecretText;
use crate::resealing::is_given_up;
use crate::secrets::open_markers;
use crate::stored::{moment, word};
use crate::write::{Event, Write};
use crate::{Actor, Error, Registry, Result};
use registry_core::clock::Timestamp;
use registry_core::finding::{Finding, Findings, Severity};
use registry_core::id::{IntegrationId, SealedId, ServerId, WorkspaceId};
use registry_core::metadata::{AdvancedConfiguration, KnownSecrets, Section, find, verify};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use url::Url;
use uuid::Uuid;

/// What stands before the member in `target_field`.
const PREFIX: &str = "configurations.";
/// Members that hold secrets.
const SECRET_MEMBERS: [&str; 6] = [
    "headers",
    "passthrough_headers",
    "oauth_client_metadata",
    "registration",
    "jwt_validation",
    "external_auth_config",
];
/// Those of them that go to the MCP server itself and nowhere else.
const HEADERS: [&str; 2] = ["headers", "passthrough_headers"];
/// The members of a mapping whose secret may not be used any more.
const NOTHING: &str = "{}";
const TAKEN_AWAY: &str = "The operator does not allow this secret here any more; it is not used.";

/// Findings about what stays readable.
const NOT_SEALED: [&str; 3] = ["unknown_top_level_member", "unknown_member", "ignored_member"];

/// A secret that the operator declared: who may use it, and where it may be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SecretReference {
    /// Slugs of the workspaces that may use it; `None`: all, and integrations of the organisation.
    pub workspaces: Option<Vec<String>>,
    /// Hosts of MCP servers it may be sent to; empty: any.
    pub hosts: Vec<String>,
}

/// How a secret's text becomes a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueFormat {
    /// It is JSON.
    Json,
    /// It is the value itself.
    String,
}

impl ValueFormat {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::String => "string",
        }
    }

    /// The format of this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Json, Self::String].into_iter().find(|format| format.as_str() == word)
    }
}

/// One member, and the secret it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretMapping {
    /// `configurations.<member>`.
    pub target_field: String,
    /// The name the operator gave the secret.
    pub reference: String,
    /// The member of the secret that is meant; `None`: all of it.
    pub secret_key: Option<String>,
    /// How it is read.
    pub value_format: Option<ValueFormat>,
}

/// A mapping in use, and how it stands.
#[derive(Clone, Debug)]
pub struct MappedSecret {
    /// What is mapped.
    pub mapping: SecretMapping,
    /// When it was last read.
    pub read_at: Timestamp,
    /// Why it could not be read since, if it could not; the value read before stays in use.
    pub problem: Option<String>,
}

/// Mappings with what their secrets hold now. Its values are secrets.
pub(crate) struct ReadMappings(Vec<(SecretMapping, std::result::Result<Value, Unread>)>);

/// Why a secret gives no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unread {
    Undeclared,
    Unreadable,
    NotJson,
    NotText,
    NoSuchKey,
}

impl Unread {
    /// The pointer's last part, a code, and a sentence.
    fn finding(self, place: &str, name: &str) -> Finding {
        let (member, code, why) = match self {
            Self::Undeclared => (
                "secret_reference_id",
                "unknown_secret_reference",
                format!(
                    "No secret `{name}` is declared for this. The operator declares secrets in the configuration file (`secrets.{name}`)."
                ),
            ),
            Self::Unreadable => (
                "secret_reference_id",
                "secret_unreadable",
                format!("The secret `{name}` cannot be read now; the log of this deployment says why."),
            ),
            Self::NotJson => (
                "value_format",
                "secret_not_json",
                format!(
                    "What the secret `{name}` holds is not JSON. Use `value_format: \"string\"`, or let the operator mend it."
                ),
            ),
            Self::NotText => (
                "value_format",
                "secret_not_text",
                format!(
                    "What the secret `{name}` holds is no text. Use `value_format: \"json\"`, or name its member."
                ),
            ),
            Self::NoSuchKey => (
                "secret_key",
                "unknown_secret_key",
                format!("The secret `{name}` holds no member of this name."),
            ),
        };
        Finding::error(format!("{place}/{member}"), code, why)
    }
}

/// The thing that mappings belong to.
pub(crate) struct Owner<'a> {
    kind: &'static str,
    id: Uuid,
    slug: &'a str,
    workspace_id: Option<WorkspaceId>,
    /// Slug of the workspace it belongs to; `None`: the organisation.
    workspace: Option<String>,
    /// Where gateways would send the secrets.
    url: &'a str,
    /// Its configuration as it will be.
    configuration: Option<&'a str>,
}

impl<'a> Owner<'a> {
    /// An integration as it will be.
    pub(crate) async fn integration(
        db: &impl ConnectionTrait,
        model: &'a integration::Model,
    ) -> Result<Self> {
        let workspace = match model.workspace_id {
            Some(id) => workspace::Entity::find_by_id(id).one(db).await?.map(|row| row.slug),
            None => None,
        };
        let configuration = model.configuration.as_deref();
        let workspace_id = model.workspace_id.map(WorkspaceId);
        let (slug, url) = (model.slug.as_str(), model.url.as_str());
        Ok(Self { kind: "integration", id: model.id, slug, workspace_id, workspace, url, configuration })
    }

    /// A server as it will be.
    pub(crate) async fn server(
        db: &impl ConnectionTrait,
        model: &'a server::Model,
        integration: &'a integration::Model,
    ) -> Result<Self> {
        let workspace = workspace::Entity::find_by_id(model.workspace_id).one(db).await?.map(|row| row.slug);
        let configuration = model.configuration.as_deref();
        let workspace_id = Some(WorkspaceId(model.workspace_id));
        let (slug, url) = (model.slug.as_str(), integration.url.as_str());
        Ok(Self { kind: "server", id: model.id, slug, workspace_id, workspace, url, configuration })
    }

    fn event(&self, action: &'static str) -> Event {
        Event::new(action, self.kind, self.id).named(self.slug).in_workspace(self.workspace_id)
    }
}

impl Registry {
    /// Reads what mappings need. Never inside a transaction: a vault may be slow.
    pub(crate) async fn read_mappings(&self, mappings: Vec<SecretMapping>) -> ReadMappings {
        let mut texts: BTreeMap<String, Option<SecretText>> = BTreeMap::new();
        let mut read = Vec::with_capacity(mappings.len());
        for mapping in mappings {
            if !self.settings().secrets.contains_key(&mapping.reference) {
                read.push((mapping, Err(Unread::Undeclared)));
                continue;
            }
            if !texts.contains_key(&mapping.reference) {
                let found = self.inner.outside.read_secret(&mapping.reference).await;
                let found = found.map_err(|why| {
                    tracing::warn!(secret = mapping.reference, why, "a declared secret could not be read");
                });
                texts.insert(mapping.reference.clone(), found.ok());
            }
            let text = texts.get(&mapping.reference).and_then(Option::as_ref);
            let value = text.ok_or(Unread::Unreadable).and_then(|text| value(text, &mapping));
            read.push((mapping, value));
        }
        ReadMappings(read)
    }

    /// The same where they may be left as they are.
    pub(crate) async fn read_changed(&self, mappings: Option<Vec<SecretMapping>>) -> Option<ReadMappings> {
        match mappings {
            Some(mappings) => Some(self.read_mappings(mappings).await),
            None => None,
        }
    }

    /// Reads every mapped secret again. Where one changed, the servers concerned change with it; where one cannot be read
    /// or does not fit any more, the value of before stays. Answers how many things changed.
    pub async fn refresh_secrets(&self) -> Result<u64> {
        let mut owners: BTreeMap<(String, Uuid), Vec<SecretMapping>> = BTreeMap::new();
        for row in secret_mapping::Entity::find().all(self.db()).await? {
            owners.entry((row.owner_kind.clone(), row.owner_id)).or_default().push(mapping(row)?);
        }
        let mut changed = 0;
        for ((kind, id), mappings) in owners {
            let read = self.read_mappings(mappings).await;
            match self.refresh_owner(&kind, id, read).await {
                Ok(true) => changed += 1,
                Ok(false) => {}
                Err(error) => tracing::warn!(kind, %id, %error, "a changed secret could not be taken over"),
            }
        }
        Ok(changed)
    }

    async fn refresh_owner(&self, kind: &str, id: Uuid, read: ReadMappings) -> Result<bool> {
        let actor = Actor::worker("secrets");
        let mut write = self.begin_write(&actor).await?;
        write.as_people().await?;
        let before = match kind {
            "server" => Before::take(&write, Scope::Server(ServerId(id))).await?,
            _ => Before::take(&write, Scope::Integration(IntegrationId(id))).await?,
        };
        let Some((integration, server)) = things(&write.txn, kind, id).await? else { return Ok(false) };
        let owner = match &server {
            Some(server) => Owner::server(&write.txn, server, &integration).await?,
            None => Owner::integration(&write.txn, &integration).await?,
        };
        let known = rows_of(&write.txn, [id]).await?;
        let (mut took, mut noted) = (Vec::new(), false);
        for (mapping, value) in read.0 {
            let Some(row) = known.iter().find(|row| row.target == mapping.target_field) else { continue };
            if !is_of(row, &mapping) {
                continue;
            }
            let held = opened(&write, row).await;
            if let Err(error @ Error::KeyMissing(_)) = &held
                && !is_given_up(&write.txn, error).await?
            {
                // Another process has the key.
                continue;
            }
            let sealed = match value {
                _ if !is_allowed(&write, &owner, &mapping) => Ok(Some(NOTHING.to_owned())),
                Ok(value) if held.is_ok_and(|known| known == value) => Ok(None),
                Ok(value) => seal(&mut write, (word_of(kind), id), &mapping, &value).await?.map(Some).map_err(|_| "What it holds does not fit the member any more; the value of before stays in use."),
                Err(_) => Err("It cannot be read; the value of before stays in use. The log says why."),
            };
            let mut changed = row.clone();
            match sealed {
                Ok(value) => {
                    changed.problem = None;
                    if let Some(value) = value {
                        let taken_away = value == NOTHING;
                        changed.problem = taken_away.then(|| TAKEN_AWAY.to_owned());
                        if value != row.value {
                            stay_bound(&write, &row.value, &value).await?;
                            forget(&write, row).await?;
                            changed.value = value;
                            changed.read_at = write.millis();
                            took.push(
                                json!({ "target_field": row.target, "secret_reference_id": row.reference,
                                "taken_away": taken_away }),
                            );
                        }
                    }
                }
                Err(problem) => changed.problem = Some(problem.to_owned()),
            }
            if changed != *row {
                noted = true;
                changed.into_active_model().reset_all().update(&write.txn).await?;
            }
        }
        if !took.is_empty() {
            before.settle(&mut write, "/secret_mappings", "secret changed").await?;
            write.audit(owner.event("secret.changed").after(json!(took)));
        }
        if noted {
            write.commit().await?;
        }
        Ok(!took.is_empty())
    }
}

/// What a mapping's secret gives.
fn value(text: &SecretText, mapping: &SecretMapping) -> std::result::Result<Value, Unread> {
    let parse = |text: &str| serde_json::from_str::<Value>(text).map_err(|_| Unread::NotJson);
    let whole = match text {
        SecretText::Object(members) => Value::Object(members.0.clone()),
        SecretText::Text(text) if mapping.secret_key.is_some() => parse(text.expose())?,
        SecretText::Text(text) => Value::String(text.expose().to_owned()),
    };
    let found = match &mapping.secret_key {
        Some(key) => whole.get(key).cloned().ok_or(Unread::NoSuchKey)?,
        None => whole,
    };
    match (mapping.value_format, found) {
        (Some(ValueFormat::Json), Value::String(text)) => parse(&text),
        (Some(ValueFormat::String), found) if !found.is_string() => Err(Unread::NotText),
        (_, found) => Ok(found),
    }
}

/// Judges and keeps an owner's mappings: those of `read`, or those it has already, which must fit what it is now.
pub(crate) async fn apply(
    write: &mut Write<'_>,
    owner: &Owner<'_>,
    read: Option<ReadMappings>,
) -> Result<bool> {
    let known = rows_of(&write.txn, [owner.id]).await?;
    let configured = match owner.configuration {
        Some(text) => AdvancedConfiguration::from_stored(text).map_err(Error::Invalid)?,
        None => AdvancedConfiguration::empty(),
    };
    let mut findings = Findings::default();
    let Some(read) = read else {
        for (index, row) in known.iter().enumerate() {
            let mapping = mapping(row.clone())?;
            judge(write, owner, &configured, &mapping, &format!("/secret_mappings/{index}"), &mut findings);
        }
        findings.into_result().map_err(Error::Invalid)?;
        return Ok(false);
    };
    let mut targets = BTreeSet::new();
    let mut rows = Vec::new();
    for (index, (mapping, value)) in read.0.into_iter().enumerate() {
        let place = format!("/secret_mappings/{index}");
        if !targets.insert(mapping.target_field.clone()) {
            let why = "This member is mapped twice. Map each once.";
            findings.push(Finding::error(format!("{place}/target_field"), "duplicate", why));
            continue;
        }
        if !judge(write, owner, &configured, &mapping, &place, &mut findings) {
            continue;
        }
        let value = match value {
            Ok(value) => value,
            Err(unread) => {
                findings.push(unread.finding(&place, &mapping.reference));
                continue;
            }
        };
        let same = known.iter().find(|row| is_of(row, &mapping));
        if let Some(row) = same
            && opened(write, row).await.is_ok_and(|known| known == value)
        {
            rows.push(row.clone());
            continue;
        }
        match seal(write, (owner.kind, owner.id), &mapping, &value).await? {
            Ok(value) => rows.push(secret_mapping::Model {
                owner_id: owner.id,
                target: mapping.target_field,
                owner_kind: owner.kind.to_owned(),
                reference: mapping.reference,
                secret_key: mapping.secret_key,
                value_format: mapping.value_format.map(|format| format.as_str().to_owned()),
                value,
                read_at: write.millis(),
                problem: None,
            }),
            Err(unfit) => {
                findings.push(Finding::error(format!("{place}/secret_reference_id"), "secret_unfit", unfit));
            }
        }
    }
    findings.into_result().map_err(Error::Invalid)?;
    if rows.len() == known.len() && rows.iter().all(|row| known.contains(row)) {
        return Ok(false);
    }
    for row in &known {
        if !rows.contains(row) {
            forget(write, row).await?;
        }
    }
    let event = owner.event("secret_mappings.changed");
    write.audit(event.before(shown(&known)).after(shown(&rows)));
    delete_rows(write, owner.id).await?;
    for row in rows {
        row.into_active_model().reset_all().insert(&write.txn).await?;
    }
    Ok(true)
}

/// Mappings for the record: what comes from where, never what it is.
fn shown(rows: &[secret_mapping::Model]) -> Value {
    let row = |row: &secret_mapping::Model| {
        json!({ "target_field": row.target, "secret_reference_id": row.reference, "secret_key": row.secret_key,
            "value_format": row.value_format })
    };
    rows.iter().map(row).collect()
}

/// What an operator does not allow any more is not used any more.
fn is_allowed(write: &Write<'_>, owner: &Owner<'_>, mapping: &SecretMapping) -> bool {
    judge(write, owner, &AdvancedConfiguration::empty(), mapping, "", &mut Findings::default())
}

/// The integration with this id, or the server with this id and its integration.
async fn things(
    db: &impl ConnectionTrait,
    kind: &str,
    id: Uuid,
) -> Result<Option<(integration::Model, Option<server::Model>)>> {
    if kind != "server" {
        let found = integration::Entity::find_by_id(id).one(db).await?;
        return Ok(found.map(|integration| (integration, None)));
    }
    let Some(server) = server::Entity::find_by_id(id).one(db).await? else { return Ok(None) };
    let integration = integration::Entity::find_by_id(server.integration_id).one(db).await?;
    Ok(integration.map(|integration| (integration, Some(server))))
}

/// A token that is read anew belongs to the issuer that the one before belonged to.
async fn stay_bound(write: &Write<'_>, before: &str, after: &str) -> Result<()> {
    let after = KnownSecrets::of(after).0;
    for (pointer, old) in KnownSecrets::of(before).0 {
        let old = sealed_value::Entity::find_by_id(old.0).one(&write.txn).await?;
        if let (Some(new), Some(issuer)) = (after.get(&pointer), old.and_then(|row| row.bound_to)) {
            sealed_value::Entity::update_many()
                .col_expr(sealed_value::Column::BoundTo, Expr::value(issuer))
                .filter(sealed_value::Column::Id.eq(new.0))
                .exec(&write.txn)
                .await?;
        }
    }
    Ok(())
}

/// Refuses a configuration that sets what a mapping sets already.
pub(crate) async fn refuse_overlap(write: &Write<'_>, owner: Uuid, text: Option<&str>) -> Result<()> {
    let Some(text) = text else { return Ok(()) };
    let configured = AdvancedConfiguration::from_stored(text).map_err(Error::Invalid)?;
    let mut findings = Findings::default();
    for row in rows_of(&write.txn, [owner]).await? {
        let member = canonical(&row.target).unwrap_or_default();
        if configured.value().get(&member).is_some_and(|value| !value.is_null()) {
            let why = format!(
                "`{member}` comes from the secret `{}` that the operator declared (`secret_mappings`). Take it away here, or take that mapping away over the API first.",
                row.reference
            );
            findings.push(Finding::error(format!("/{member}"), "member_set_twice", why));
        }
    }
    findings.into_result().map(drop).map_err(Error::Invalid)
}

/// Whether something has mappings.
pub(crate) async fn has_any(db: &impl ConnectionTrait, owner: Uuid) -> Result<bool> {
    Ok(!rows_of(db, [owner]).await?.is_empty())
}

/// Forgets an owner's mappings and what was read for them.
pub(crate) async fn remove_all(write: &Write<'_>, owner: Uuid) -> Result<()> {
    for row in rows_of(&write.txn, [owner]).await? {
        forget(write, &row).await?;
    }
    delete_rows(write, owner).await
}

/// Whether a mapping may be where it is; what may not is in `findings`.
fn judge(
    write: &Write<'_>,
    owner: &Owner<'_>,
    configured: &AdvancedConfiguration,
    mapping: &SecretMapping,
    place: &str,
    findings: &mut Findings,
) -> bool {
    let mut refuse = |member: &str, code: &'static str, why: String| {
        findings.push(Finding::error(format!("{place}/{member}"), code, why));
        false
    };
    let Some(member) = canonical(&mapping.target_field) else {
        return refuse(
            "target_field",
            "invalid_value",
            "Write `configurations.` and a member of the Advanced Configuration, such as `configurations.headers`.".to_owned(),
        );
    };
    if configured.value().get(&member).is_some_and(|value| !value.is_null()) {
        return refuse(
            "target_field",
            "member_set_twice",
            format!(
                "`{member}` is set in `configurations` too. Take it away there, or leave out the mapping."
            ),
        );
    }
    let name = &mapping.reference;
    let Some(declared) = write.registry.settings().secrets.get(name) else {
        findings.push(Unread::Undeclared.finding(place, name));
        return false;
    };
    if let Some(allowed) = &declared.workspaces
        && !owner.workspace.as_ref().is_some_and(|own| allowed.contains(own))
    {
        // Not told apart from one that does not exist.
        findings.push(Unread::Undeclared.finding(place, name));
        return false;
    }
    if !SECRET_MEMBERS.contains(&member.as_str()) {
        return refuse(
            "target_field",
            "invalid_value",
            format!(
                "`{member}` is no secret: everybody who may look at the configuration sees it. Secrets go into {}.",
                SECRET_MEMBERS.join(", ")
            ),
        );
    }
    if !declared.hosts.is_empty() && !HEADERS.contains(&member.as_str()) {
        return refuse(
            "secret_reference_id",
            "secret_not_for_this_host",
            format!(
                "The operator declared for which MCP servers the secret `{name}` is, so it can only be sent to them, in {}.",
                HEADERS.join(" or ")
            ),
        );
    }
    let host = Url::parse(owner.url).ok().and_then(|url| url.host_str().map(str::to_owned));
    if !declared.hosts.is_empty() && !declared.hosts.iter().any(|allowed| host.as_deref() == Some(allowed)) {
        return refuse(
            "secret_reference_id",
            "secret_not_for_this_host",
            format!(
                "The operator declared the secret `{name}` for other hosts than {}.",
                host.unwrap_or_default()
            ),
        );
    }
    true
}

/// The member that a target names, in its canonical spelling.
fn canonical(target: &str) -> Option<String> {
    let field = find(Section::TopLevel, target.strip_prefix(PREFIX)?)?;
    Some(field.canonical().to_owned())
}

/// Judges what a secret holds as the member it is for, and seals the secrets in it. The refusal never quotes the secret.
async fn seal(
    write: &mut Write<'_>,
    owner: (&'static str, Uuid),
    mapping: &SecretMapping,
    value: &Value,
) -> Result<std::result::Result<String, String>> {
    let member = canonical(&mapping.target_field).unwrap_or_default();
    let verified = verify(&json!({ &member: value }).to_string(), &KnownSecrets::default());
    if let Some(finding) = verified.findings.iter().find(|finding| finding.severity == Severity::Error) {
        return Ok(Err(format!(
            "What the secret `{}` holds does not fit `{member}`: {} at {}.",
            mapping.reference, finding.code, finding.pointer
        )));
    }
    // What is not sealed is shown to people: nothing of a secret may be there that is not known to be harmless.
    let odd = verified.findings.iter().find(|finding| NOT_SEALED.contains(&&*finding.code));
    if odd.is_some() || verified.new_secrets().is_empty() {
        return Ok(Err(format!(
            "The secret `{}` holds something that is no member of `{member}`, or nothing of it is secret there. Name the member of the secret that is meant (`secret_key`).",
            mapping.reference
        )));
    }
    let mut ids = Vec::new();
    for secret in verified.new_secrets() {
        let id = SealedId(write.registry.new_id());
        write.seal(id, owner, &secret.pointer, secret.expose()).await?;
        ids.push(id);
    }
    let text =
        verified.sealed_text(&ids).ok_or_else(|| Error::Internal("verified text without result".into()))?;
    Ok(Ok(text))
}

/// What a mapping's secret held when it was read last.
async fn opened(write: &Write<'_>, row: &secret_mapping::Model) -> Result<Value> {
    let mut members: Value = serde_json::from_str(&row.value)?;
    open_markers(write.registry, &write.txn, &mut members).await?;
    match members {
        Value::Object(members) => Ok(members.into_iter().next().map(|(_, value)| value).unwrap_or_default()),
        _ => Err(Error::corrupt("secret_mapping", "value", row.owner_id)),
    }
}

async fn forget(write: &Write<'_>, row: &secret_mapping::Model) -> Result<()> {
    write.unseal(KnownSecrets::of(&row.value).0.into_values()).await
}

async fn delete_rows(write: &Write<'_>, owner: Uuid) -> Result<()> {
    let rows = secret_mapping::Entity::delete_many().filter(secret_mapping::Column::OwnerId.eq(owner));
    rows.exec(&write.txn).await?;
    Ok(())
}

async fn rows_of(
    db: &impl ConnectionTrait,
    owners: impl IntoIterator<Item = Uuid>,
) -> Result<Vec<secret_mapping::Model>> {
    let rows = secret_mapping::Entity::find()
        .filter(secret_mapping::Column::OwnerId.is_in(owners))
        .order_by_asc(secret_mapping::Column::Target);
    Ok(rows.all(db).await?)
}

/// The mappings of some things, by owner, in the order of their members.
pub(crate) async fn mappings_of(
    db: &impl ConnectionTrait,
    owners: impl IntoIterator<Item = Uuid>,
) -> Result<HashMap<Uuid, Vec<MappedSecret>>> {
    let mut found: HashMap<Uuid, Vec<MappedSecret>> = HashMap::new();
    for row in rows_of(db, owners).await? {
        let (owner, read_at, problem) = (row.owner_id, moment(row.read_at), row.problem.clone());
        found.entry(owner).or_default().push(MappedSecret { mapping: mapping(row)?, read_at, problem });
    }
    Ok(found)
}

/// The members that mappings set, by owner.
pub(crate) async fn members_of(
    db: &impl ConnectionTrait,
    owners: impl IntoIterator<Item = Uuid>,
) -> Result<HashMap<Uuid, Map<String, Value>>> {
    let mut found: HashMap<Uuid, Map<String, Value>> = HashMap::new();
    for row in rows_of(db, owners).await? {
        let members: Map<String, Value> = serde_json::from_str(&row.value)?;
        found.entry(row.owner_id).or_default().extend(members);
    }
    Ok(found)
}

fn is_of(row: &secret_mapping::Model, mapping: &SecretMapping) -> bool {
    row.target == mapping.target_field
        && row.reference == mapping.reference
        && row.secret_key == mapping.secret_key
        && row.value_format.as_deref() == mapping.value_format.map(ValueFormat::as_str)
}

fn mapping(row: secret_mapping::Model) -> Result<SecretMapping> {
    let format = row.value_format.as_deref();
    Ok(SecretMapping {
        value_format: format
            .map(|format| word(ValueFormat::parse, format, "secret_mapping", "value_format", row.owner_id))
            .transpose()?,
        target_field: row.target,
        reference: row.reference,
        secret_key: row.secret_key,
    })
}

fn word_of(kind: &str) -> &'static str {
    if kind == "server" { "server" } else { "integration" }
}
