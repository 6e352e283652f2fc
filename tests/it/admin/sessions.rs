//! Signing in: how often one may try, what happens to a form that comes too late, and sessions elsewhere.

use super::Browser;
use chrono::Duration;
use registry::{Channel, Credential, RequestContext};
use registry_core::permission::Role;
use reqwest::Method;
use reqwest::header::{COOKIE, LOCATION, REFERER, SET_COOKIE};
use support::{Client, Engine, Reply, TestServer};

const PASSWORD: &str = "correct horse battery";

/// A signed-in user with a password.
async fn ann(t: &TestServer) -> Browser {
    let browser = Browser::sign_in(t).await;
    browser.post("/ui/account/password", &[("password", PASSWORD)]).await.expect(303);
    browser
}

async fn sign_in(t: &TestServer, password: &str, more: &[(&str, &str)]) -> Reply {
    let mut form = vec![("email", "ann@acme.com"), ("password", password)];
    form.extend(more);
    Browser::nobody(t).post("/ui/sign-in", &form).await
}

#[tokio::test]
async fn login_attempts_are_limited_and_the_page_says_how_long_to_wait() {
    let t = TestServer::new(Engine::Sqlite).await;
    ann(&t).await;
    for _ in 0..5 {
        sign_in(&t, "wrong", &[]).await.expect(422);
    }
    let refused = sign_in(&t, PASSWORD, &[("next", "/ui/audit")]).await.expect(429);
    let seconds: i64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=30).contains(&seconds), "{seconds}");
    for part in [
        &format!("{seconds} seconds"),
        "role=\"alert\"",
        "<title>Problem: ",
        r#"value="ann@acme.com""#,
        "/ui/audit",
    ] {
        assert!(refused.text.contains(part), "{part}: {}", refused.text);
    }
    assert!(!refused.text.contains(PASSWORD));
    t.inner.clock.advance(Duration::seconds(seconds));
    let welcome = sign_in(&t, PASSWORD, &[("next", "/ui/audit")]).await.expect(303);
    assert_eq!(welcome.headers[LOCATION], "/ui/audit");
    // This does not delay other users.
    let other = [("email", "vi@acme.com"), ("password", "wrong")];
    Browser::nobody(&t).post("/ui/sign-in", &other).await.expect(422);
}

#[tokio::test]
async fn link_attempts_are_limited_too() {
    let t = TestServer::new(Engine::Sqlite).await;
    let token = t
        .inner
        .registry
        .users()
        .create_sign_in_link("ann@acme.com", RequestContext::new(Channel::Cli))
        .await
        .unwrap();
    let nobody = Browser::nobody(&t);
    for _ in 0..60 {
        nobody.post("/ui/sign-in/link", &[("token", "guessed")]).await.expect(422);
    }
    let refused = nobody.post("/ui/sign-in/link", &[("token", &token)]).await.expect(429);
    assert!(refused.text.contains(&token), "the link is still good, so the page keeps it: {}", refused.text);
    t.inner.clock.advance(Duration::seconds(refused.header("retry-after").parse().unwrap()));
    Browser::with_link(&t, &token).await.get("/ui/account").await.expect(200);
}

#[tokio::test]
async fn form_sent_after_the_session_ended_is_kept_until_confirmed() {
    let t = TestServer::new(Engine::Sqlite).await;
    let browser = ann(&t).await;
    // Twelve hours without a request end a session.
    t.inner.clock.advance(Duration::hours(13));
    let form = [("name", "Wiki & <b>\"more\"</b>"), ("slug", "wiki"), ("description", "")];
    let late = browser
        .request(Method::POST, "/ui/workspaces/new")
        .header("sec-fetch-site", "same-origin")
        .header(REFERER, format!("{}/ui/workspaces/new?from=list", t.url))
        .form(&form);
    let ended = Client::send(late).await.expect(401);
    assert!(ended.text.contains("Your session has ended.") && ended.text.contains("what you typed is kept"));
    assert!(ended.text.contains(r#"name="next" value="/ui/workspaces/new?from=list""#), "{}", ended.text);
    let body = serialized(&form);
    assert!(ended.text.contains(&body.replace('&', "&#38;")), "{body}: {}", ended.text);

    // A wrong password loses nothing.
    let unsent = [("unsent_path", "/ui/workspaces/new"), ("unsent_body", body.as_str())];
    let wrong = sign_in(&t, "wrong", &unsent).await.expect(422);
    assert!(wrong.text.contains(&body.replace('&', "&#38;")), "{}", wrong.text);

    let offered = sign_in(&t, PASSWORD, &unsent).await.expect(200);
    assert!(offered.text.contains(r#"<form class="card narrow" method="post" action="/ui/workspaces/new" "#));
    assert!(
        offered.text.contains(r#"name="name" value="Wiki &#38; &#60;b&#62;&#34;more&#34;&#60;/b&#62;""#),
        "{}",
        offered.text
    );
    let browser = Browser::nobody(&t).after(&offered);
    assert!(
        !browser.get("/ui/workspaces").await.expect(200).text.contains("Wiki"),
        "nothing is sent by itself"
    );
    browser.post("/ui/workspaces/new", &form).await.expect(303);

    let elsewhere = [("unsent_path", "https://evil.example/x"), ("unsent_body", "a=b")];
    let offered = sign_in(&t, PASSWORD, &elsewhere).await.expect(200);
    assert!(!offered.text.contains("evil.example"), "forms go to our own pages only: {}", offered.text);
}

fn serialized(form: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

#[tokio::test]
async fn longest_configuration_survives_the_end_of_a_session() {
    let t = TestServer::new(Engine::Sqlite).await;
    ann(&t).await;
    // As long as a configuration may be, with as many marks to encode as JSON has at its worst.
    let text = "\"x".repeat(128 * 1024);
    let form = [("configuration", text.as_str())];
    let ended = Browser::nobody(&t).post("/ui/settings/organisation", &form).await.expect(401);
    let body = serialized(&form);
    assert!(ended.text.contains(&body), "{} bytes are kept", body.len());
    let unsent = [("unsent_path", "/ui/settings/organisation"), ("unsent_body", body.as_str())];
    let offered = sign_in(&t, PASSWORD, &unsent).await.expect(200);
    assert!(offered.text.contains(&text.replace('"', "&#34;")), "every character");
}

#[tokio::test]
async fn kept_forms_exclude_passwords_and_page_fragments() {
    let t = TestServer::new(Engine::Sqlite).await;
    let nobody = Browser::nobody(&t);
    let page = nobody.post("/ui/account/password", &[("password", "canary-7Yt")]).await.expect(401);
    assert!(!page.text.contains("canary-7Yt"), "{}", page.text);
    let part = nobody
        .request(Method::POST, "/ui/workspaces/new")
        .header("sec-fetch-site", "same-origin")
        .header("hx-request", "true")
        .form(&[("name", "Wiki")]);
    let part = Client::send(part).await.expect(401);
    assert!(part.header("hx-redirect").starts_with("/ui/sign-in?next="), "{part:?}");
}

#[tokio::test]
async fn other_sessions_can_be_signed_out() {
    let t = TestServer::new(Engine::Sqlite).await;
    let here = ann(&t).await;
    let there = Browser::nobody(&t).after(&sign_in(&t, PASSWORD, &[]).await.expect(303));
    let third = Browser::nobody(&t).after(&sign_in(&t, PASSWORD, &[]).await.expect(303));
    let vi = Browser::invited(&t, "vi@acme.com", Role::Viewer, None).await;
    let page = here.get("/ui/account").await.expect(200);
    let ends: Vec<&str> = page.text.split("action=\"").filter(|part| part.contains("/end\"")).collect();
    assert_eq!((ends.len(), page.text.matches("this one").count()), (2, 1), "{}", page.text);
    let path = ends[0].split('"').next().unwrap();
    vi.post(path, &[]).await.expect(404);
    here.post(path, &[]).await.expect(303);
    let left = [there.get("/ui/account").await.status, third.get("/ui/account").await.status];
    assert_eq!(left.iter().filter(|status| status.as_u16() == 303).count(), 1, "{left:?}");
    let done = here.post("/ui/account/sessions/end-others", &[]).await.expect(303);
    let page = here.get(done.headers[LOCATION].to_str().unwrap()).await.expect(200);
    assert!(page.text.contains("Signed out: 1 session."), "{}", page.text);
    there.get("/ui/account").await.expect(303);
    third.get("/ui/account").await.expect(303);
    vi.get("/ui/account").await.expect(200);
}

#[tokio::test]
async fn new_password_ends_other_sessions() {
    let t = TestServer::new(Engine::Sqlite).await;
    let here = ann(&t).await;
    let there = Browser::nobody(&t).after(&sign_in(&t, PASSWORD, &[]).await.expect(303));
    for (current, password, anchor) in
        [("wrong", "another long password", "current"), (PASSWORD, "canary-7Yt", "password")]
    {
        let page = here
            .post("/ui/account/password", &[("current", current), ("password", password)])
            .await
            .expect(422);
        assert!(page.text.contains(&format!(r##"<a href="#{anchor}">"##)), "{anchor}: {}", page.text);
        assert!(!page.text.contains(password), "no password comes back");
    }
    there.get("/ui/account").await.expect(200);
    let form = [("current", PASSWORD), ("password", "another long password")];
    here.post("/ui/account/password", &form).await.expect(303);
    here.get("/ui/account").await.expect(200);
    there.get("/ui/account").await.expect(303);
    sign_in(&t, PASSWORD, &[]).await.expect(422);
    sign_in(&t, "another long password", &[]).await.expect(303);
}

#[tokio::test]
async fn sign_out_ends_the_session_on_the_server() {
    let t = TestServer::new(Engine::Sqlite).await;
    let browser = ann(&t).await;
    let (_, session) = browser.cookie.split_once('=').unwrap();
    let enter = || {
        t.inner
            .registry
            .callers()
            .authenticate(Credential::Session(session), RequestContext::new(Channel::Web))
    };
    enter().await.unwrap();
    let out = browser.post("/ui/sign-out", &[]).await.expect(303);
    assert!(out.headers[SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    enter().await.unwrap_err();
    browser.post("/ui/sign-out", &[]).await.expect(303);
}

#[tokio::test]
async fn theme_is_stored_by_the_server() {
    let t = TestServer::new(Engine::Sqlite).await;
    let browser = Browser::sign_in(&t).await;
    assert!(browser.get("/ui/account").await.text.contains(r#"data-theme="system""#));
    let chosen = browser.post("/ui/theme", &[("theme", "dark"), ("next", "/ui/account")]).await.expect(303);
    assert_eq!(chosen.headers[LOCATION], "/ui/account");
    let cookie = chosen.headers[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let both = format!("{}; {cookie}", browser.cookie);
    for path in ["/ui/account", "/ui/sign-in", "/ui/nothing"] {
        let page = Client::send(t.anonymous().request(Method::GET, path).header(COOKIE, &both)).await;
        assert!(page.text.contains(r#"data-theme="dark""#), "{path}: {}", page.text);
    }
    let away = browser.post("/ui/theme", &[("theme", "system"), ("next", "https://evil")]).await.expect(303);
    assert_eq!(away.headers[LOCATION], "/ui/integrations");
    assert!(away.headers[SET_COOKIE].to_str().unwrap().contains("=system;"), "{away:?}");
    let unknown = browser.post("/ui/theme", &[("theme", "x\"><script>")]).await.expect(422);
    assert!(!unknown.headers.contains_key(SET_COOKIE), "{unknown:?}");
}
