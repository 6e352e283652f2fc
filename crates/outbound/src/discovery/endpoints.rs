//! Which endpoints of an authorization server may be used (INV-32).

use super::Search;
use registry_core::egress::UrlProblem;
use registry_core::oauth::{AuthorizationServerMetadata, Failure, FailureClass, endpoint_is_sane, verbatim};
use serde_json::{Map, Value};

/// How many endpoints that are left out are named.
const MAX_NAMED: usize = 5;

/// What is wrong with an endpoint.
struct Unusable {
    code: &'static str,
    why: String,
}

impl Search<'_> {
    /// Every endpoint that is needed exists and may be used; every other one that may not be used is removed, with a warning.
    pub(super) fn fit_endpoints(&mut self, metadata: &mut Map<String, Value>) -> Result<(), Failure> {
        let without_sign_in = self.target.without_sign_in;
        let needed: &[&str] =
            if without_sign_in { &["token_endpoint"] } else { &["authorization_endpoint", "token_endpoint"] };
        for name in needed {
            match AuthorizationServerMetadata(metadata).endpoint(name) {
                None => {
                    return Err(Failure::new(
                        FailureClass::NeedsAdmin,
                        "metadata_incomplete",
                        format!(
                            "The authorization server's metadata lack `{name}`. Enter it in the Advanced Configuration."
                        ),
                    ));
                }
                Some(endpoint) => {
                    self.judge_endpoint(name, endpoint)
                        .map_err(|problem| refused(name, endpoint, &problem))?;
                }
            }
        }
        let mut rest = metadata.clone();
        rest.shift_remove("registration_endpoint");
        let registers_elsewhere = self.target.paths.can_obtain_client(AuthorizationServerMetadata(&rest));
        let others: Vec<String> = metadata
            .keys()
            .filter(|name| is_endpoint(name) && !needed.contains(&name.as_str()))
            .cloned()
            .collect();
        let mut left_out = 0;
        for name in others {
            let Some(value) = metadata.get(&name) else { continue };
            let text = match value {
                Value::Null => continue,
                Value::String(text) if text.is_empty() => continue,
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let Err(problem) = self.judge_endpoint(&name, &text) else { continue };
            if name == "registration_endpoint" && !registers_elsewhere {
                return Err(refused(&name, &text, &problem));
            }
            metadata.shift_remove(&name);
            left_out += 1;
            if left_out <= MAX_NAMED {
                self.warnings.push(format!(
                    "The authorization server's `{}` ({}) was left out: {}. It is not needed here.",
                    verbatim(&name.chars().take(60).collect::<String>()),
                    verbatim(&text),
                    problem.why
                ));
            }
        }
        if left_out > MAX_NAMED {
            self.warnings.push(format!("{} more endpoints were left out.", left_out - MAX_NAMED));
        }
        if let Some(Value::Object(aliases)) = metadata.get_mut("mtls_endpoint_aliases") {
            aliases.retain(|_, value| value.as_str().is_some_and(endpoint_is_sane));
        }
        Ok(())
    }

    /// Whether gateways and this registry may connect to `endpoint`: https, or http on this machine where that is allowed.
    fn judge_endpoint(&self, name: &str, endpoint: &str) -> Result<(), Unusable> {
        let policy = self.upstream.http.policy();
        // Gateways connect there. What an admin entered is the admin's choice.
        if self.target.overrides.get(name).and_then(Value::as_str) != Some(endpoint)
            && let Err(UrlProblem::Address(problem)) =
                policy.check_url_within(endpoint, self.upstream.http.scope())
        {
            return Err(Unusable { code: "address_blocked", why: problem.to_string() });
        }
        let plain = !endpoint.starts_with("https:");
        if !endpoint_is_sane(endpoint) || plain && !policy.allow_http_loopback {
            return Err(Unusable { code: "endpoint_not_allowed", why: "it is not an https URL".to_owned() });
        }
        Ok(())
    }
}

/// Whether a member of this name holds an address that somebody would connect to (RFC 8414 §2 and its extensions).
fn is_endpoint(name: &str) -> bool {
    name.ends_with("_endpoint") || name == "jwks_uri"
}

fn refused(name: &str, endpoint: &str, problem: &Unusable) -> Failure {
    Failure::new(
        FailureClass::Security,
        problem.code,
        format!(
            "The authorization server's `{name}` ({}) is not used: {}. If it has a usable one, enter it as `{name}` in the Advanced Configuration.",
            verbatim(endpoint),
            problem.why
        ),
    )
}
