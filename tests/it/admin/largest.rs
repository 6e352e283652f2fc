//! The largest forms that are read: every form of the pages answers them quickly and briefly, while a probe is answered
//! beside it. The forms come from the routes as they are declared, so that a new one is sent by itself.

use super::authorization::{Pages, form, routes};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use std::time::Duration;
use support::{Client, Reply};

/// The longest form that is read, in bytes.
const FORM: usize = 1024 * 1024;
/// The most processor time for one.
const MAX_RESPONSE_TIME: Duration = Duration::from_secs(1);

fn encoded(pairs: &[(&str, &str)]) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs);
    form.finish()
}

fn members(room: usize, one: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0.. {
        let next = one(number);
        if text.len() + next.len() > room {
            return text;
        }
        if number > 0 {
            text.push(',');
        }
        text.push_str(&next);
    }
    text
}

/// Huge texts of an Advanced Configuration.
fn configurations() -> Vec<(&'static str, String)> {
    let room = 200_000;
    let wrapped = |inner: String| format!("{{\"oauth_client_metadata\":{{{inner}}}}}");
    vec![
        ("unknown members", format!("{{{}}}", members(room, |number| format!("\"m{number}\":0")))),
        (
            "misspelt members",
            wrapped(members(60_000, |number| format!("\"client_nam{}\":\"s\"", number % 10))),
        ),
        (
            "members with suggestions",
            wrapped(members(room / 2, |number| format!("\n\"client_name{number}\":\"s\""))),
        ),
        ("lines", wrapped(format!("\"x\":[{}]", members(80_000, |number| format!("\n{number}"))))),
        ("no JSON", "[".repeat(room)),
        ("one text", wrapped(format!("\"client_name\":\"{}\"", "é".repeat(room / 2)))),
    ]
}

/// The largest forms that `route` can be sent.
fn forms(route: &str) -> Vec<(String, String)> {
    let good = form(route);
    let replaced = |name: &str, value: &str| {
        let pairs: Vec<_> =
            good.iter().map(|(one, old)| (*one, if *one == name { value } else { *old })).collect();
        encoded(&pairs)
    };
    let mut forms = Vec::new();
    for (name, _) in good {
        let room = FORM - 2_000;
        forms.push((format!("{name} of one text"), replaced(name, &"x".repeat(room))));
    }
    let more = "one=a&".repeat((FORM - 2_000) / 6);
    forms.push(("very many fields".to_owned(), format!("{more}{}", encoded(good))));
    if good.iter().any(|(name, _)| *name == "configuration") {
        for (word, text) in configurations() {
            for intent in ["save", "check", "review", "format"] {
                let pairs: Vec<_> = good
                    .iter()
                    .map(|(name, old)| match *name {
                        "configuration" => (*name, text.as_str()),
                        "intent" => (*name, intent),
                        _ => (*name, *old),
                    })
                    .collect();
                forms.push((format!("{word}, {intent}"), encoded(&pairs)));
            }
        }
    }
    if good.iter().any(|(name, _)| *name == "text") {
        for item in ["{}".to_owned(), format!("{{{}}}", members(1_000, |number| format!("\"m{number}\":0")))]
        {
            for count in [500, 501] {
                let text = format!("[{}]", vec![item.as_str(); count].join(","));
                forms.push((format!("{count} items of {} bytes", item.len()), replaced("text", &text)));
            }
        }
    }
    forms.retain(|(_, form)| form.len() <= FORM);
    forms
}

/// The answer to a form, and the processor time that this test, in whose process it is answered, took for it and a probe
/// beside it. Not the time on the wall: other tests run on the same processors.
async fn send(pages: &Pages, path: &str, form: &str) -> (Reply, Duration) {
    let admin = &pages.people[4];
    let request = admin.request(Method::POST, path).header("sec-fetch-site", "same-origin");
    let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.to_owned());
    let before = spent();
    let (reply, probe) =
        tokio::join!(Client::send(request), Client::send(admin.request(Method::GET, "/healthz")));
    probe.expect(200);
    (reply, spent().saturating_sub(before))
}

/// The processor time so far (proc(5): `utime` and `stime`, in hundredths of a second).
fn spent() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

async fn largest_forms(part: usize) {
    let pages = Box::pin(Pages::new()).await;
    let (mut wrong, mut sent, mut worst) = (Vec::new(), 0, (Duration::ZERO, String::new()));
    let routes = routes();
    // What reads no form is not asked, nor what would end the session.
    let posts = routes.iter().filter(|route| route.starts_with("POST") && !form(route).is_empty());
    for route in posts.enumerate().filter(|(index, _)| index % 3 == part).map(|(_, route)| route) {
        let path = pages.fill(route.split_once(' ').unwrap().1);
        for (word, form) in forms(route) {
            let (reply, took) = send(&pages, &path, &form).await;
            sent += 1;
            if took > worst.0 {
                worst = (took, format!("{route} ({word})"));
            }
            if reply.status.is_server_error() {
                wrong.push(format!("{route} ({word}): {}", reply.status));
            }
            if took > MAX_RESPONSE_TIME {
                wrong.push(format!("{route} ({word}): {} ms", took.as_millis()));
            }
            // What was typed is shown again, escaped.
            if reply.text.len() > 512 * 1024 + 6 * form.len() {
                wrong.push(format!("{route} ({word}): {} bytes for {}", reply.text.len(), form.len()));
            }
        }
    }
    eprintln!("{sent} forms, worst {} ms: {}", worst.0.as_millis(), worst.1);
    assert!(sent > 20, "{sent}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn largest_forms_get_fast_short_answers_1() {
    Box::pin(largest_forms(0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn largest_forms_get_fast_short_answers_2() {
    Box::pin(largest_forms(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn largest_forms_get_fast_short_answers_3() {
    Box::pin(largest_forms(2)).await;
}
