//! What MCP servers answer to a request without a token: challenges and their `resource_metadata` (RFC 9728 §5.1).

use super::{Case, PRM, PRM_MCP, by_hand, case, cases, check};
use serde_json::json;
use support::{Answer, UpstreamScript};

cases! {
    /// The well-known address has the document whatever the hint says.
    unusable_hint_is_passed_over = unusable_hints();
    challenge_is_read_in_every_shape = challenges();
    sse_server_is_asked_as_sse_clients_do = sse();
}

/// What was meant by each is either the well-known address or unknowable; that address is asked in any case.
fn hint_texts(script: &UpstreamScript) -> Vec<(&'static str, String)> {
    let origin = &script.origin;
    let rest = origin.trim_start_matches("http:");
    let authority = rest.trim_start_matches('/');
    let path = "/.well-known/oauth-protected-resource/mcp";
    vec![
        ("path below the server", "/mcp/.well-known/oauth-protected-resource".to_owned()),
        ("right path alone", path.to_owned()),
        ("path without slash", "oauth-protected-resource".to_owned()),
        ("relative with dots", "../.well-known/oauth-protected-resource/mcp".to_owned()),
        ("no scheme", format!("{authority}{path}")),
        ("scheme-relative", format!("{rest}{path}")),
        ("scheme without slashes", format!("http:{authority}{path}")),
        ("one slash", format!("http:/{authority}{path}")),
        ("inner name over http", format!("http://internal-alb.corp.example:8080{path}")),
        ("inner address", format!("http://10.1.2.3:8080{path}")),
        ("https of a private address", format!("https://192.168.7.7{path}")),
        ("metadata service", "http://169.254.169.254/latest/meta-data".to_owned()),
        ("name that does not exist", format!("https://mcp.corp.invalid{path}")),
        ("https at the http port", format!("https://{authority}{path}")),
        ("closed port", format!("http://127.0.0.1:9{path}")),
        ("empty", String::new()),
        ("blank", "  ".to_owned()),
        ("null", "null".to_owned()),
        ("undefined", format!("undefined{path}")),
        ("template", "${BASE_URL}/.well-known/oauth-protected-resource".to_owned()),
        ("angle brackets", format!("<{origin}{path}>")),
        ("single quotes", format!("'{origin}{path}'")),
        ("curly quotes", format!("\u{201c}{origin}{path}\u{201d}")),
        ("blanks around", format!(" {origin}{path} ")),
        ("doubled path", format!("{origin}{path}/mcp")),
        ("doubled slash", format!("{origin}//.well-known/oauth-protected-resource/mcp")),
        ("file", "file:///etc/passwd".to_owned()),
        ("mailto", "mailto:admin@example.com".to_owned()),
        ("with user", format!("http://user:word@{authority}{path}")),
        ("with fragment", format!("{origin}/elsewhere#x")),
        ("the MCP address itself", format!("{origin}/mcp")),
        ("the authorization server's document", format!("{origin}/.well-known/oauth-authorization-server")),
    ]
}

fn unusable_hints() -> Vec<Case> {
    // The texts depend on the origin, so that each case looks up its own by number.
    let names: Vec<&str> =
        hint_texts(&UpstreamScript::at("http://127.0.0.1:1")).iter().map(|(name, _)| *name).collect();
    let mut all: Vec<Case> = names
        .into_iter()
        .enumerate()
        .map(|(number, name)| {
            let hinted = move |u: &mut UpstreamScript| u.hint = Some(hint_texts(u)[number].1.clone());
            case(format!("hint: {name}"), hinted).registers().then(|u, _| by_hand(u)).registers()
        })
        .collect();
    for (name, answer) in [
        ("page", Answer::page(200, "Sign in")),
        ("error with 200", Answer::json(200, &json!({ "statusCode": 404, "message": "Cannot GET" }))),
        ("empty object", Answer::json(200, &json!({}))),
        ("list", Answer::json(200, &json!([]))),
        ("401", Answer::text(401, "")),
        ("403 page", Answer::page(403, "Forbidden")),
        ("500", Answer::text(500, "boom")),
        ("nothing", Answer::raw(b"")),
        ("not HTTP", Answer::raw(b"SSH-2.0-OpenSSH_9.7\r\n")),
        ("redirect to a page", Answer::text(302, "").header("location", "/login")),
        ("redirect to nowhere", Answer::text(301, "")),
    ] {
        all.push(
            case(format!("hinted address answers {name}"), move |u| {
                u.hint = Some(u.url("/meta"));
                u.fixed("GET /meta", answer.clone());
                u.fixed("GET /login", Answer::page(200, "Sign in"));
            })
            .registers(),
        );
    }
    all.push(
        case("an unusable hint is told", |u| {
            u.hint = Some("http://internal-alb.corp.example:8080/x".to_owned());
        })
        .registers()
        .sees(|seen| {
            let told = seen.registration.to_string();
            check(told.contains("internal-alb.corp.example"), || format!("not told: {}", seen.warnings()))
        }),
    );
    all
}

/// The challenge leads to `/meta/prm`, the only place of the document; `{}` stands for its address.
fn challenged(name: &str, status: u16, headers: &'static [&'static str]) -> Case {
    case(format!("challenge: {name}"), move |u| {
        u.fixed(PRM_MCP, Answer::text(404, "no"));
        let address = u.url("/meta/prm");
        let refused = headers.iter().fold(Answer::text(status, ""), |answer, header| {
            answer.header("www-authenticate", &header.replace("{}", &address))
        });
        u.fixed("POST /mcp", refused);
        u.route("GET /meta/prm", |_, u| Some(Answer::json(200, &u.resource.clone().into())));
    })
    .registers()
}

fn challenges() -> Vec<Case> {
    let scope = |case: Case| {
        case.sees(|seen| {
            let asked = seen.asked();
            check(asked.iter().any(|one| one["scope"] == "files:read"), || format!("asked {asked:?}"))
        })
    };
    vec![
        scope(challenged(
            "after other schemes in a header of its own",
            401,
            &[
                r#"Negotiate, Basic realm="proxy, inner", charset="UTF-8""#,
                r#"Bearer realm="mcp", scope="files:read", resource_metadata="{}""#,
            ],
        )),
        scope(challenged(
            "after another scheme in one header",
            401,
            &[r#"Basic realm="x", Bearer scope="files:read", resource_metadata="{}""#],
        )),
        challenged("scheme in lower case", 401, &[r#"bearer resource_metadata="{}""#]),
        challenged("scheme in upper case", 401, &[r#"BEARER resource_metadata="{}""#]),
        challenged("parameter in capitals", 401, &[r#"Bearer Resource_Metadata="{}""#]),
        challenged("without quotes", 401, &["Bearer resource_metadata={}"]),
        challenged("blanks around the equals sign", 401, &[r#"Bearer resource_metadata = "{}""#]),
        challenged("empty list items", 401, &[r#"Bearer , realm="x", , resource_metadata="{}","#]),
        challenged(
            "escaped quotes in the realm",
            401,
            &[r#"Bearer realm="a \"b\", c", resource_metadata="{}""#],
        ),
        challenged("with 403", 403, &[r#"Bearer resource_metadata="{}""#]),
        challenged("with an error", 401, &[r#"Bearer error="invalid_token", resource_metadata="{}""#]),
        challenged("second of two Bearer challenges", 401, &["Bearer", r#"Bearer resource_metadata="{}""#]),
        case("no challenge", |u| u.hint = None).registers(),
        case("403 without a challenge", |u| {
            u.fixed("POST /mcp", Answer::json(403, &json!({ "message": "Forbidden" })));
        })
        .registers(),
        case("400 without a challenge", |u| u.fixed("POST /mcp", Answer::text(400, "Bad Request")))
            .registers(),
        case("404 without a challenge", |u| u.fixed("POST /mcp", Answer::text(404, "Not Found"))).registers(),
        case("redirect to a sign-in page", |u| {
            u.fixed("POST /mcp", Answer::text(302, "").header("location", "/login"));
        })
        .registers(),
        case("406 with a challenge of another scheme", |u| {
            u.fixed("POST /mcp", Answer::text(406, "").header("www-authenticate", "Negotiate"));
        })
        .registers(),
    ]
}

/// POST is answered with `status`, GET with a challenge that leads to the only document.
fn sse_server(status: u16) -> Case {
    case(format!("SSE server answers POST with {status}"), move |u| {
        u.fixed("POST /mcp/sse", Answer::text(status, "no").header("allow", "GET"));
        let challenge = format!("Bearer resource_metadata=\"{}\"", u.url("/meta/sse"));
        u.fixed("GET /mcp/sse", Answer::text(401, "").header("www-authenticate", &challenge));
        let mut document = u.resource.clone();
        document.insert("resource".to_owned(), json!(u.url("/mcp/sse")));
        u.fixed("GET /meta/sse", Answer::json(200, &document.into()));
        u.fixed(PRM_MCP, Answer::text(404, ""));
    })
    .transport("sse")
    .suffix("/sse")
    .registers()
}

fn sse() -> Vec<Case> {
    let mut all: Vec<Case> = [400, 403, 404, 405, 406, 415, 501].map(sse_server).into();
    all.push(
        case("SSE server that challenges POST only", |u| {
            let challenge = format!("Bearer resource_metadata=\"{}\"", u.url("/meta/sse"));
            u.fixed("POST /mcp", Answer::text(401, "").header("www-authenticate", &challenge));
            u.fixed("GET /mcp", Answer::text(405, ""));
            u.route("GET /meta/sse", |_, u| Some(Answer::json(200, &u.resource.clone().into())));
            u.fixed(PRM_MCP, Answer::text(404, ""));
        })
        .transport("sse")
        .registers(),
    );
    all.push(
        case("SSE server that opens its stream to everybody", |u| {
            u.fixed(
                "GET /mcp",
                Answer::new(200, "text/event-stream", "event: endpoint\ndata: /messages\n\n"),
            );
        })
        .transport("sse")
        .registers(),
    );
    all.push(
        case("HTTP server that challenges GET only", |u| {
            u.fixed("POST /mcp", Answer::text(405, ""));
            u.fixed(PRM, Answer::text(404, ""));
        })
        .registers(),
    );
    all
}
