//! Each row of the table speaks where it should and is silent where all is well; the forecast agrees with the plan.

use super::*;
use crate::clock::Timestamp;
use crate::id::SealedId;
use crate::metadata::{
    AdvancedConfiguration, Branding, Layer, Level, Resolution, ResolveContext, resolve, verify,
};
use crate::oauth::{Discovery, Exchange, Failure, FailureClass, IssuerMatch, ResourceMatch};
use crate::registration::{
    AuthType, Desired, DesiredPresence, LifecycleRules, RegistrationMethod, Transport,
};
use chrono::DateTime;
use serde_json::{Value, json};
use uuid::Uuid;

const DOCUMENT: &str = "https://id.example/oauth/clients/{id}.json";
const CALLBACK: &str = "https://gateway.acme.com/oauth/upstream-callback";

fn now() -> Timestamp {
    DateTime::from_timestamp_millis(1_795_400_000_000).unwrap_or_default()
}

/// A resolution of one configuration, with branding on the callback's host so that nothing is said of it.
fn resolution(configuration: &Value, callback: &str) -> Resolution {
    let text = configuration.to_string();
    let verified = verify(&text, &crate::metadata::KnownSecrets::default());
    let ids: Vec<_> =
        (1..).take(verified.new_secrets().len()).map(|number| SealedId(Uuid::from_u128(number))).collect();
    let sealed = verified.sealed_text(&ids).unwrap_or_else(|| panic!("{:?}", verified.findings));
    let branding = Branding {
        client_uri: "https://gateway.acme.com".to_owned(),
        logo_uri: "https://gateway.acme.com/logo.png".to_owned(),
        ..Branding::default()
    };
    resolve(
        &branding,
        &[Layer {
            level: Level::Integration,
            configuration: &AdvancedConfiguration::from_stored(&sealed).expect("it was verified"),
        }],
        &ResolveContext { workspace: "acme", server: "linear", callbacks: &[callback.to_owned()] },
    )
}

/// A well-behaved authorization server.
fn discovery() -> Discovery {
    let metadata = json!({
        "issuer": "https://as.example",
        "authorization_endpoint": "https://as.example/authorize",
        "token_endpoint": "https://as.example/token",
        "registration_endpoint": "https://as.example/register",
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["mcp:read"],
    });
    let Value::Object(metadata) = metadata else { unreachable!() };
    Discovery {
        mcp_url: "https://mcp.example/mcp".to_owned(),
        resource: "https://mcp.example/mcp".to_owned(),
        resource_match: Some(ResourceMatch::Exact),
        authorization_server_listed: "https://as.example".to_owned(),
        issuer: "https://as.example".to_owned(),
        issuer_match: IssuerMatch::Exact,
        metadata_url: "https://as.example/.well-known/oauth-authorization-server".to_owned(),
        metadata,
        scopes: vec!["mcp:read".to_owned()],
        ..Discovery::default()
    }
}

fn desired(resolution: &Resolution) -> Desired {
    Desired {
        effective: resolution.effective.clone(),
        digest: resolution.effective.digest(),
        mcp_url: "https://mcp.example/mcp".to_owned(),
        transport: Transport::Http,
        auth_type: AuthType::OauthAuto,
        presence: DesiredPresence::Present,
        publishes_documents: false,
        rules: LifecycleRules::default(),
    }
}

/// Everything that is foreseen for a configuration at a changed authorization server, codes and sentences.
fn foreseen(configuration: &Value, callback: &str, change: impl FnOnce(&mut Discovery)) -> Vec<Advice> {
    let resolution = resolution(configuration, callback);
    let mut discovery = discovery();
    change(&mut discovery);
    let forecast = forecast(&desired(&resolution), &Ok(discovery.clone()), DOCUMENT, now());
    let inputs = AdviceInputs {
        resolution: &resolution,
        discovery: &discovery,
        forecast: &forecast,
        secret_bound_to: None,
        broken_logo: None,
    };
    advise(&inputs)
}

/// Codes alone, without the two notes that every dynamic registration gets.
fn codes(configuration: &Value, change: impl FnOnce(&mut Discovery)) -> Vec<String> {
    let always = ["initial_access_token_unknown", "redirect_hosts_unknown"];
    let found = foreseen(configuration, CALLBACK, change).into_iter().map(|one| one.code);
    found.filter(|code| !always.contains(&code.as_str())).collect()
}

fn metadata(members: &Value) -> Value {
    json!({ "oauth_client_metadata": members })
}

fn set(name: &'static str, value: Value) -> impl FnOnce(&mut Discovery) {
    move |discovery| {
        discovery.metadata.insert(name.to_owned(), value);
    }
}

fn without(name: &'static str) -> impl FnOnce(&mut Discovery) {
    move |discovery| {
        discovery.metadata.shift_remove(name);
    }
}

#[test]
fn good_server_has_only_notes_about_unknowns() {
    let found = foreseen(&json!({}), CALLBACK, |_| {});
    let found: Vec<_> = found.iter().map(|one| (one.code.as_str(), one.weight)).collect();
    assert_eq!(
        found,
        [
            ("initial_access_token_unknown", AdviceSeverity::Note),
            ("redirect_hosts_unknown", AdviceSeverity::Note)
        ]
    );
}

#[test]
fn request_is_compared_with_advertised_lists() {
    let basic = metadata(&json!({ "token_endpoint_auth_method": "client_secret_basic" }));
    assert_eq!(codes(&basic, |_| {}), ["auth_method_not_offered"]);
    let post = metadata(&json!({ "token_endpoint_auth_method": "client_secret_post" }));
    assert!(codes(&post, |_| {}).is_empty());
    assert_eq!(
        codes(&json!({}), without("token_endpoint_auth_methods_supported")),
        ["auth_methods_not_listed"]
    );
    assert_eq!(codes(&json!({}), without("code_challenge_methods_supported")), ["pkce_not_offered"]);
    assert_eq!(
        codes(&json!({}), set("code_challenge_methods_supported", json!(["plain"]))),
        ["pkce_not_offered"]
    );
    assert_eq!(codes(&metadata(&json!({ "scope": "mcp:read admin" })), |_| {}), ["scope_not_listed"]);
    assert!(codes(&metadata(&json!({ "scope": "mcp:read admin" })), without("scopes_supported")).is_empty());
    let grants =
        json!({ "grant_types": ["authorization_code", "urn:ietf:params:oauth:grant-type:jwt-bearer"] });
    assert_eq!(codes(&metadata(&grants), |_| {}), ["grant_type_not_listed"]);
    assert_eq!(
        codes(&json!({}), set("response_types_supported", json!(["id_token"]))),
        ["response_type_not_listed"]
    );
    assert_eq!(codes(&json!({}), |discovery| discovery.scopes.clear()), ["no_scope_sent"]);
}

#[test]
fn metadata_that_some_servers_refuse_is_named() {
    for (members, code, about) in [
        (json!({ "logo_uri": "http://gateway.acme.com/logo.png" }), "logo_not_https", "logo_uri"),
        (json!({ "client_name": "A", "client_name#fr": "B" }), "language_variants", "client_name#fr"),
        (json!({ "contacts": ["a@acme.com", "The team"] }), "contact_no_email", "contacts"),
        (json!({ "software_id": "com.acme" }), "software_id_selects_no_client", "software_id"),
        (json!({ "tos_uri": "https://acme.com/terms" }), "branding_host_differs", "tos_uri"),
    ] {
        let found = foreseen(&metadata(&members), CALLBACK, |_| {});
        let found = found.iter().find(|one| one.code == code).unwrap_or_else(|| panic!("{code}: {found:#?}"));
        assert_eq!(found.members, [about]);
    }
}

#[test]
fn invalid_logo_is_a_risk_when_sent() {
    let resolution = resolution(&metadata(&json!({ "client_name": "Acme" })), CALLBACK);
    let discovery = discovery();
    let forecast = forecast(&desired(&resolution), &Ok(discovery.clone()), DOCUMENT, now());
    for (url, is_said) in [("https://gateway.acme.com/logo.png", true), ("https://acme.com/other.png", false)]
    {
        let broken_logo = Some((url, "answered 404."));
        let inputs = AdviceInputs {
            resolution: &resolution,
            discovery: &discovery,
            forecast: &forecast,
            secret_bound_to: None,
            broken_logo,
        };
        let advice = advise(&inputs);
        let said = advice.iter().find(|one| one.code == "logo_not_shown");
        assert_eq!(said.is_some(), is_said, "{advice:#?}");
        if let Some(said) = said {
            assert_eq!((said.weight, &*said.members), (AdviceSeverity::Risk, &["logo_uri".to_owned()][..]));
            assert!(said.message.ends_with("logo.png answered 404."), "{}", said.message);
        }
    }
}

#[test]
fn loopback_callback_depends_on_the_authorization_server() {
    let local = "http://localhost:8787/oauth/upstream-callback";
    let has = |callback: &str, change: fn(&mut Discovery)| {
        let found = foreseen(&metadata(&json!({ "tos_uri": "https://acme.com/terms" })), callback, change);
        let has = |code: &str| found.iter().any(|one| one.code == code);
        (has("loopback_callback"), has("branding_host_differs"))
    };
    assert_eq!(has(local, |_| {}), (true, false), "of a callback on this machine no host can be compared");
    assert_eq!(has(local, |discovery| discovery.issuer = "http://127.0.0.1:9000".to_owned()), (false, false));
    assert_eq!(has(CALLBACK, |_| {}), (false, true));
}

#[test]
fn services_with_lists_are_known_by_their_domain() {
    let at = |issuer: &'static str| {
        let found = foreseen(&json!({}), CALLBACK, |discovery| discovery.issuer = issuer.to_owned());
        let listed = found.iter().any(|one| one.code == "redirect_allow_list");
        assert_ne!(listed, found.iter().any(|one| one.code == "redirect_hosts_unknown"), "one of the two");
        listed
    };
    assert!(at("https://mcp.intercom.com") && at("https://intercom.com/x"));
    assert!(!at("https://notintercom.com") && !at("https://intercom.com.evil.example"));
}

#[test]
fn irregular_discovery_is_explained() {
    assert_eq!(
        codes(&json!({}), |discovery| {
            discovery.issuer = "https://as.example/".to_owned();
            discovery.issuer_match = IssuerMatch::RootSlash;
            discovery.resource_match = Some(ResourceMatch::Prefix);
        }),
        ["issuer_spelt_differently", "resource_wider"]
    );
    assert_eq!(
        codes(&json!({}), set("token_endpoint", json!("https://other.example/t"))),
        ["endpoint_elsewhere"]
    );
    assert_eq!(
        codes(&json!({}), set("client_id_metadata_document_supported", json!(true))),
        ["cimd_offered"]
    );
}

#[test]
fn pre_registered_client_is_adopted_and_its_secret_bound_to_the_issuer() {
    let entered = metadata(&json!({ "client_id": "by-hand", "client_secret": "s3cret-s3cret" }));
    assert_eq!(codes(&entered, |_| {}), ["callback_by_hand"]);
    let public = metadata(&json!({ "client_id": "by-hand" }));
    assert_eq!(
        codes(&public, set("token_endpoint_auth_methods_supported", json!(["client_secret_post"]))),
        ["auth_method_needs_secret", "callback_by_hand"]
    );
    let resolution = resolution(&entered, CALLBACK);
    let discovery = discovery();
    let forecast = forecast(&desired(&resolution), &Ok(discovery.clone()), DOCUMENT, now());
    assert_eq!((forecast.method, &forecast.prepared), (Some(RegistrationMethod::PreRegistered), &None));
    for (bound, refused) in [("https://as.example", false), ("https://old.example", true)] {
        let inputs = AdviceInputs {
            resolution: &resolution,
            discovery: &discovery,
            forecast: &forecast,
            secret_bound_to: Some(bound),
            broken_logo: None,
        };
        assert_eq!(
            advise(&inputs).iter().any(|one| one.code == "secret_of_other_issuer"),
            refused,
            "{bound}"
        );
    }
}

#[test]
fn preflight_explains_a_missing_client() {
    let reason = |configuration: Value, auth_type, discovery: Result<Discovery, Failure>| {
        let desired = Desired { auth_type, ..desired(&resolution(&configuration, CALLBACK)) };
        let forecast = forecast(&desired, &discovery, DOCUMENT, now());
        assert_eq!(forecast.method.is_some(), forecast.block.is_none());
        assert!(forecast.block.as_ref().is_none_or(|block| block.detail.is_some()), "it says what to do");
        forecast.block.map(|block| block.code)
    };
    let bare = || {
        let mut discovery = discovery();
        discovery.metadata.shift_remove("registration_endpoint");
        discovery
    };
    let lost = || Err(Failure::new(FailureClass::Transient, "timeout", "Later."));
    let by_hand = json!({ "registration": { "method": "pre_registered" } });
    let oauth = AuthType::OauthAuto;
    assert_eq!(reason(json!({}), oauth, Ok(discovery())), None);
    assert_eq!(reason(json!({}), oauth, Ok(bare())).as_deref(), Some("registration_not_supported"));
    assert_eq!(reason(json!({}), oauth, lost()).as_deref(), Some("timeout"));
    assert_eq!(reason(by_hand.clone(), oauth, lost()).as_deref(), Some("pre_registered_client_missing"));
    assert_eq!(reason(json!({}), AuthType::Headers, Ok(discovery())).as_deref(), Some("not_needed"));
    let basic = metadata(&json!({ "token_endpoint_auth_method": "client_secret_basic" }));
    assert_eq!(reason(basic, oauth, Ok(discovery())), None, "an admin's choice is tried");
    let mut unusable = discovery();
    unusable.metadata.insert("token_endpoint_auth_methods_supported".to_owned(), json!(["private_key_jwt"]));
    assert_eq!(reason(json!({}), oauth, Ok(unusable)).as_deref(), Some("auth_method_not_supported"));
}

#[test]
fn preflight_body_equals_the_request() {
    let desired = desired(&resolution(&metadata(&json!({ "client_name": "Acme" })), CALLBACK));
    let forecast = forecast(&desired, &Ok(discovery()), DOCUMENT, now());
    assert_eq!(forecast.endpoint.as_deref(), Some("https://as.example/register"));
    let prepared = forecast.prepared.expect("a body");
    assert_eq!(prepared.request["client_name"], "Acme");
    assert_eq!(prepared.request["scope"], "mcp:read");
    assert_eq!(prepared.adjustments.len(), 1);
    assert_eq!(prepared.adjustments[0].member, "scope");
}

#[test]
fn preflight_document_equals_the_published_one() {
    let resolution = resolution(
        &metadata(&json!({ "client_name#fr": "Acme en français", "client_name": "Acme" })),
        CALLBACK,
    );
    let desired = Desired { publishes_documents: true, ..desired(&resolution) };
    let mut discovery = discovery();
    discovery.metadata.insert("client_id_metadata_document_supported".to_owned(), json!(true));
    let forecast = forecast(&desired, &Ok(discovery.clone()), DOCUMENT, now());
    assert_eq!((forecast.method, &forecast.prepared), (Some(RegistrationMethod::Cimd), &None));
    assert_eq!(forecast.document.as_ref().expect("a document")["client_id"], DOCUMENT);
    let inputs = AdviceInputs {
        resolution: &resolution,
        discovery: &discovery,
        forecast: &forecast,
        secret_bound_to: None,
        broken_logo: None,
    };
    let codes: Vec<_> = advise(&inputs).into_iter().map(|one| one.code).collect();
    assert_eq!(codes, ["language_variants", "document_reachable_unknown"]);
}

#[test]
fn advice_codes_are_distinct_and_explained() {
    for (index, rule) in ADVICE.iter().enumerate() {
        assert!(ADVICE[..index].iter().all(|other| other.code != rule.code), "{}", rule.code);
        assert!(rule.meaning.ends_with('.'), "{}", rule.code);
        assert!(index == 0 || ADVICE[index - 1].weight <= rule.weight, "{} is out of order", rule.code);
    }
}

#[test]
fn connection_test_depends_on_the_authentication() {
    use AuthType::{Headers, None as Nothing, OauthAuto, OauthClientCredentials};
    for (auth_type, status, speaks, good) in [
        (OauthAuto, 401, false, true),
        (OauthClientCredentials, 401, true, true),
        (OauthAuto, 200, true, true),
        (OauthAuto, 200, false, false),
        (Headers, 200, true, true),
        (Headers, 401, true, false),
        (Nothing, 401, true, false),
        (Nothing, 202, true, true),
        (Nothing, 302, true, false),
        (OauthAuto, 403, true, false),
        (OauthAuto, 404, true, false),
        (OauthAuto, 503, true, false),
    ] {
        let problem = connection_problem(auth_type, status, speaks);
        assert_eq!(problem.is_none(), good, "{auth_type} {status} {speaks}: {problem:?}");
        assert!(problem.is_none_or(|problem| problem.ends_with('.')));
    }
}

fn exchange(step: &str, status: Option<u16>) -> Exchange {
    Exchange {
        step: step.to_owned(),
        status,
        duration_ms: 7,
        note: "Noted.".to_owned(),
        ..Exchange::default()
    }
}

#[test]
fn discovery_is_explained_and_proposes_an_approach() {
    let wanted = desired(&resolution(&json!({}), CALLBACK));
    let told = |change: &dyn Fn(&mut Discovery)| {
        let mut discovery = discovery();
        change(&mut discovery);
        discovery.protected_resource = Some(serde_json::Map::new());
        let trace = [
            exchange("probe", Some(401)),
            exchange("protected_resource", Some(404)),
            exchange("protected_resource", Some(200)),
        ];
        examine(&wanted, &Ok(discovery), &trace, None)
    };
    let well = told(&|_| {});
    assert!(
        well.reached && well.probes.iter().all(|one| one.grade == Quality::Good || one.norm == "optional")
    );
    assert_eq!(well.probes[1].duration_ms, Some(14), "both places that were asked count");
    assert_eq!(well.probes[3].title, "Registration endpoint, S256 PKCE, public clients");
    assert_eq!(well.proposed, Some(Approach::Register));
    assert_eq!(*well.availability(Approach::Register), Availability::Offered);
    assert!(
        matches!(well.availability(Approach::Publish), Availability::Closed(why) if why.contains("cimd.public_url"))
    );

    let by_hand = told(&|found| {
        found.metadata.shift_remove("registration_endpoint");
        found.metadata.shift_remove("code_challenge_methods_supported");
    });
    assert_eq!(by_hand.proposed, Some(Approach::ByHand));
    assert!(matches!(by_hand.availability(Approach::Register), Availability::Closed(_)));
    let bad: Vec<_> =
        by_hand.probes.iter().filter(|one| one.grade == Quality::Bad).map(|one| &*one.title).collect();
    assert_eq!(bad, ["No PKCE with S256"]);

    let wider = told(&|found| {
        found.resource = "https://mcp.example".to_owned();
        found.resource_match = Some(ResourceMatch::Prefix);
    });
    assert_eq!(wider.probes[1].instead.as_deref(), Some("https://mcp.example"));
}

#[test]
fn failed_discovery_disables_only_permanent_impossibilities() {
    let wanted = desired(&resolution(&json!({}), CALLBACK));
    let told = |status, class, code| {
        let other = (code == "resource_mismatch").then_some("https://mcp.example/other");
        examine(&wanted, &Err(Failure::new(class, code, "Why.")), &[exchange("probe", status)], other)
    };
    let away = told(None, FailureClass::Transient, "unreachable");
    assert!(!away.reached && away.proposed.is_none());
    assert_eq!(*away.availability(Approach::Register), Availability::Unknown);
    assert_eq!(away.probes[0].grade, Quality::Bad);

    for (status, proposed) in
        [(Some(200), Some(Approach::Nothing)), (Some(401), Some(Approach::Headers)), (Some(404), None)]
    {
        let without = told(status, FailureClass::NeedsAdmin, "authorization_server_not_found");
        assert_eq!(without.proposed, proposed);
        assert_eq!(*without.availability(Approach::Register), Availability::Closed("Why.".to_owned()));
        assert_eq!(*without.availability(Approach::Headers), Availability::Unknown);
    }
    let other = told(Some(401), FailureClass::Security, "resource_mismatch");
    assert_eq!(other.probes[1].instead.as_deref(), Some("https://mcp.example/other"));
    assert_eq!(other.proposed, None);
}
