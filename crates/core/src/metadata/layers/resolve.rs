//! Five levels become one: the highest level that sets a member wins, and the result says why.

use super::check_result::check_result;
use super::defaults::Branding;
use super::effective::{Credentials, EffectiveMetadata, Level, RegistrationPolicy};
use super::resolution::{Ignored, Layer, Origin, Overridden, Resolution, ResolveContext};
use crate::finding::{Finding, Findings, MAX_FINDINGS, Severity};
use crate::metadata::fields::display::{SECRET, object_without_nulls, shown, without_nulls};
use crate::metadata::fields::field::{Field, Section, Usage};
use crate::metadata::fields::marker::parse_marker;
use crate::metadata::fields::names::CANONICAL_WRAPPER;
use crate::metadata::fields::suggest::looks_secret;
use crate::metadata::fields::table::{FIELDS, find, in_section};
use crate::metadata::rules::document::check_member;
use crate::metadata::rules::language::{Variant, is_language_tag, variant};
use crate::metadata::rules::report::Report;
use crate::metadata::text::advanced::AdvancedConfiguration;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// One member as one level sets it.
pub(super) struct Setting {
    pub(super) level: Level,
    pub(super) field: &'static Field,
    pub(super) value: Value,
}

/// Lays the levels over each other. Pure: the same arguments give the same result. The order of `layers` does not
/// matter; members that no longer pass the rules are left out and reported as ignored.
pub fn resolve(branding: &Branding, layers: &[Layer<'_>], context: &ResolveContext<'_>) -> Resolution {
    let mut gathering = Gathering::default();
    gathering.client_metadata(Level::Default, &branding.members(context.workspace, context.server));
    let mut sorted: Vec<&Layer<'_>> = layers.iter().collect();
    sorted.sort_by_key(|layer| layer.level);
    for layer in sorted {
        gathering.layer(layer.level, layer.configuration);
    }
    gathering.finish(context)
}

/// Adds a finding, up to the maximum of a response.
pub(super) fn push_bounded<T>(list: &mut Vec<T>, one: T) {
    if list.len() < MAX_FINDINGS {
        list.push(one);
    }
}

#[derive(Default)]
pub(super) struct Gathering {
    pub(super) settings: BTreeMap<String, Vec<Setting>>,
    pub(super) ignored: Vec<Ignored>,
    pub(super) overridden: Vec<Overridden>,
    pub(super) origins: BTreeMap<String, Origin>,
    findings: Findings,
    /// Where `registration.omit` was set.
    pub(super) omit_level: Option<Level>,
}

impl Gathering {
    fn layer(&mut self, level: Level, configuration: &AdvancedConfiguration) {
        for (name, value) in configuration.value() {
            match (name.as_str(), value) {
                (_, Value::Null) => {}
                (CANONICAL_WRAPPER, Value::Object(metadata)) => {
                    self.client_metadata(level, metadata);
                }
                ("registration", Value::Object(members)) => {
                    for (name, value) in members {
                        self.member(level, Section::Registration, name, value);
                    }
                }
                _ => self.member(level, Section::TopLevel, name, value),
            }
        }
    }

    fn client_metadata(&mut self, level: Level, metadata: &Map<String, Value>) {
        for (name, value) in metadata {
            self.member(level, Section::ClientMetadata, name, value);
        }
    }

    fn member(&mut self, level: Level, section: Section, name: &str, value: &Value) {
        if value.is_null() {
            return;
        }
        let member = match section {
            Section::Registration => format!("registration.{name}"),
            _ => name.to_owned(),
        };
        let field = find(section, name).or_else(|| {
            variant(section, name)
                .filter(|variant| is_language_tag(variant.tag))
                .map(|Variant { base, .. }| base)
        });
        let Some(field) = field else {
            let code =
                if section == Section::TopLevel { "unknown_top_level_member" } else { "unknown_member" };
            let value = if looks_secret(name) { Value::from(SECRET) } else { value.clone() };
            push_bounded(
                &mut self.ignored,
                Ignored {
                    reason: format!("`{member}` is not a known member."),
                    member,
                    level,
                    value,
                    code: code.to_owned(),
                },
            );
            return;
        };
        let mut report = Report::default();
        check_member(field, value, &format!("/{name}"), &mut report);
        let refused = report
            .into_findings()
            .0
            .into_iter()
            .find(|finding| finding.severity == Severity::Error || field.is_ignored());
        if let Some(finding) = refused {
            push_bounded(
                &mut self.ignored,
                Ignored {
                    member,
                    level,
                    value: shown(field, value),
                    code: finding.code.into_owned(),
                    reason: finding.message,
                },
            );
            return;
        }
        // Of one level the last counts, should a caller give a level twice.
        self.settings.entry(member).or_default().push(Setting { level, field, value: value.clone() });
    }

    /// The winner of one member, the others noted.
    fn winner(&mut self, member: &str) -> Option<Setting> {
        let mut settings = self.settings.remove(member)?;
        let winner = settings.pop()?;
        let by = Origin::from(winner.level);
        for hidden in settings {
            push_bounded(
                &mut self.overridden,
                Overridden {
                    member: member.to_owned(),
                    level: hidden.level,
                    value: shown(hidden.field, &hidden.value),
                    by,
                    reason: format!("The {} level sets `{member}` too, and is higher.", by.as_str()),
                },
            );
        }
        self.origins.insert(member.to_owned(), by);
        Some(winner)
    }

    /// The members of a group that resolves whole, from the highest level that sets any of them.
    fn group(&mut self, usage: Usage) -> (Map<String, Value>, Option<Level>) {
        let names: Vec<String> = self
            .settings
            .iter()
            .filter(|(_, settings)| settings.iter().any(|setting| setting.field.usage == usage))
            .map(|(name, _)| name.clone())
            .collect();
        let highest = names.iter().flat_map(|name| &self.settings[name]).map(|setting| setting.level).max();
        let mut group = Map::new();
        let Some(highest) = highest else {
            return (group, None);
        };
        for name in names {
            for setting in self.settings.remove(&name).unwrap_or_default() {
                if setting.level == highest {
                    self.origins.insert(name.clone(), highest.into());
                    group.insert(setting.field.name.to_owned(), setting.value);
                } else {
                    push_bounded(
                        &mut self.overridden,
                        Overridden {
                            member: name.clone(),
                            level: setting.level,
                            value: shown(setting.field, &setting.value),
                            by: highest.into(),
                            reason: format!(
                                "`{name}` and what belongs to it come together from one level; the {} level sets some of it, and is higher.",
                                highest.as_str()
                            ),
                        },
                    );
                }
            }
        }
        (group, Some(highest))
    }

    fn finish(mut self, context: &ResolveContext<'_>) -> Resolution {
        let mut effective = EffectiveMetadata::default();
        let (credentials, credentials_level) = self.group(Usage::Credential);
        let (overrides, override_level) = self.group(Usage::AuthorizationServer);
        effective.authorization_server = from_members(&overrides);
        effective.authorization_server.level = override_level;
        self.credentials(&credentials, credentials_level, &mut effective);
        self.registration(&mut effective);
        self.sent(context, &mut effective);
        if let Some(parameters) = self.winner("authorization_params") {
            effective.authorization_params = object_without_nulls(parameters.value);
        }
        for field in
            in_section(Section::TopLevel).filter(|f| f.usage == Usage::Gateway && f.alias_of.is_none())
        {
            if let Some(setting) = self.winner(field.name) {
                effective.gateway.insert(field.name.to_owned(), without_nulls(setting.value));
            }
        }
        self.findings.0.extend(check_result(&effective).0);
        self.overridden.sort_by(|a, b| (&a.member, a.level).cmp(&(&b.member, b.level)));
        self.ignored.sort_by(|a, b| (&a.member, a.level).cmp(&(&b.member, b.level)));
        Resolution {
            effective,
            findings: self.findings,
            origins: self.origins,
            overridden: self.overridden,
            ignored: self.ignored,
        }
    }

    fn credentials(
        &mut self,
        group: &Map<String, Value>,
        level: Option<Level>,
        effective: &mut EffectiveMetadata,
    ) {
        let Some(level) = level else { return };
        let secret = group.get("client_secret").and_then(Value::as_str).and_then(parse_marker);
        let Some(client_id) = group.get("client_id").and_then(Value::as_str) else {
            self.origins.remove("client_secret");
            self.findings.push(Finding::error(
                "/oauth_client_metadata/client_secret",
                "secret_without_id",
                format!(
                    "The {} level sets `client_secret` without `client_id`. Set both there; the two are never taken from different levels.",
                    level.as_str()
                ),
            ));
            return;
        };
        let secret = match secret {
            Some(_) if crosses(level, effective) => {
                self.keep_back("client_secret", level, "/oauth_client_metadata/client_secret", effective);
                None
            }
            secret => secret,
        };
        effective.credentials =
            Some(Credentials { client_id: client_id.to_owned(), client_secret: secret, level });
    }

    fn keep_back(&mut self, member: &str, level: Level, pointer: &str, effective: &EffectiveMetadata) {
        let chosen = effective.authorization_server.level.unwrap_or(level);
        let reason = format!(
            "`{member}` is set on the {} level, the authorization server on the {} level: one level's secret is never sent to another's endpoint. Set both on the same level.",
            level.as_str(),
            chosen.as_str()
        );
        self.origins.remove(member);
        self.findings.push(Finding::error(pointer, "secret_crosses_levels", reason.clone()));
        push_bounded(
            &mut self.ignored,
            Ignored {
                member: member.to_owned(),
                level,
                value: Value::from(SECRET),
                code: "secret_crosses_levels".to_owned(),
                reason,
            },
        );
    }

    fn registration(&mut self, effective: &mut EffectiveMetadata) {
        let mut members = Map::new();
        let mut token = None;
        for field in in_section(Section::Registration).filter(|field| field.usage == Usage::Registration) {
            let member = format!("registration.{}", field.name);
            match self.winner(&member) {
                Some(setting) if field.secret => {
                    token = setting.value.as_str().and_then(parse_marker).map(|id| (id, setting.level));
                }
                Some(setting) => {
                    if field.name == "omit" {
                        self.omit_level = Some(setting.level);
                    }
                    members.insert(field.name.to_owned(), setting.value);
                }
                None if field.default.is_some() => {
                    self.origins.insert(member, Origin::Default);
                }
                None => {}
            }
        }
        effective.registration = from_members::<RegistrationPolicy>(&members);
        match token {
            Some((_, level)) if crosses(level, effective) => {
                let member = "registration.initial_access_token";
                self.keep_back(member, level, "/registration/initial_access_token", effective);
            }
            Some((id, _)) => effective.registration.initial_access_token = Some(id),
            None => {}
        }
    }

    fn sent(&mut self, context: &ResolveContext<'_>, effective: &mut EffectiveMetadata) {
        self.omit(&mut effective.registration);
        let (metadata, admins) = (&mut effective.client_metadata, &mut effective.admin_members);
        for field in FIELDS.iter().filter(|field| field.usage == Usage::Sent) {
            let Some(mut setting) = self.winner(field.name) else {
                if field.name == "application_type" && !effective.registration.omits(field.name) {
                    metadata.insert(field.name.to_owned(), Value::from(application_type(context.callbacks)));
                    self.origins.insert(field.name.to_owned(), Origin::Computed);
                }
                continue;
            };
            if field.name == "application_type" && setting.value != application_type(context.callbacks) {
                self.findings.push(Finding::warning(
                    "/oauth_client_metadata/application_type",
                    "application_type_mismatch",
                    "`application_type` does not fit the gateway's callback: https goes with `web`, loopback with `native`. Leave it out to have it computed.",
                ));
            }
            let is_empty = setting.value.as_array().is_some_and(Vec::is_empty);
            if is_empty && field.name != "response_types" {
                // RFC 7591 knows no empty value in a request; leaving the member out says the same.
                self.origins.remove(field.name);
                push_bounded(
                    &mut self.ignored,
                    Ignored {
                        member: field.name.to_owned(),
                        level: setting.level,
                        value: setting.value,
                        code: "empty_list".to_owned(),
                        reason: format!("An empty `{}` is left out of the request.", field.name),
                    },
                );
                continue;
            }
            self.fit_name(&mut setting, &effective.registration);
            if setting.level > Level::Default {
                admins.insert(field.name.to_owned());
            }
            metadata.insert(field.name.to_owned(), setting.value);
        }
        metadata.insert("redirect_uris".to_owned(), Value::from(context.callbacks));
        self.origins.insert("redirect_uris".to_owned(), Origin::Gateway);
        let variants: Vec<String> = self.settings.keys().filter(|name| name.contains('#')).cloned().collect();
        for name in variants {
            let base = name.split('#').next().unwrap_or_default();
            if !metadata.contains_key(base) {
                self.findings.push(Finding::error(
                    format!("/{CANONICAL_WRAPPER}/{name}"),
                    "language_variant_without_base",
                    format!("`{name}` needs `{base}` beside it, for all other languages (RFC 7591 §2.2)."),
                ));
            }
            if let Some(setting) = self.winner(&name) {
                admins.insert(name.clone());
                metadata.insert(name, setting.value);
            }
        }
    }
}

/// `web` for https callbacks, `native` for loopback ones (MCP 2026-07-28, SEP-837).
fn application_type(callbacks: &[String]) -> &'static str {
    let is_http =
        |callback: &String| callback.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("http:"));
    if !callbacks.is_empty() && callbacks.iter().all(is_http) { "native" } else { "web" }
}

/// A struct made of the members that have its fields' names; checked values always fit.
fn from_members<T: serde::de::DeserializeOwned + Default>(members: &Map<String, Value>) -> T {
    serde_json::from_value(Value::Object(members.clone())).unwrap_or_default()
}

/// Whether a secret of `level` would go to an address that a higher level chose (INV-20).
fn crosses(level: Level, effective: &EffectiveMetadata) -> bool {
    effective.authorization_server.level.is_some_and(|chosen| chosen > level)
}
