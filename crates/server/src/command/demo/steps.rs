//! The six steps in which a user meets the client: from the request for a tool to its answer.

use super::client::http;
use super::expected::ACME_NAME;
use super::gateway::{TOOL, TOOL_PATH, USER_COOKIE};
use super::heading;
use crate::command::{CommandError, print};
use reqwest::header::{ACCEPT, CONTENT_TYPE, COOKIE, LOCATION};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;
use url::Url;

/// Plays the user with the gateway at `gateway`. Each step fails if it does not give what it should.
pub(super) async fn play(gateway: &str) -> Result<(), CommandError> {
    let http = http()?;
    let tool = format!("{gateway}{TOOL_PATH}");
    let user = |request: RequestBuilder| request.header(COOKIE, format!("{USER_COOKIE}=the-demo"));

    heading(1, "User requests tool from MCP server")?;
    let response =
        send(user(http.get(&tool)).header(ACCEPT, "application/json"), StatusCode::UNAUTHORIZED).await?;
    print(format_args!("   GET {tool}   the MCP server answered 401: it wants to know who asks"))?;

    heading(2, "The gateway initiates OAuth flow with authorization server")?;
    let told = json(response).await?;
    let authorize = told["authorize"].as_str().unwrap_or_default();
    let url = Url::parse(authorize).map_err(|error| CommandError::new(format!("{authorize:?}: {error}")))?;
    print(format_args!("   {}{}", url.origin().ascii_serialization(), url.path()))?;
    for (name, value) in url.query_pairs() {
        print(format_args!("      {name} = {value}"))?;
    }

    heading(3, "Authorization server shows consent screen with client metadata")?;
    let page = text(send(http.get(authorize), StatusCode::OK).await?).await?;
    let shown = visible(&page);
    for line in &shown {
        print(format_args!("   │ {line}"))?;
    }

    heading(4, "User sees your company name/logo")?;
    let seen = |wanted: &str| {
        let found = shown.iter().find(|line| line.contains(wanted)).cloned();
        found.ok_or_else(|| CommandError::new(format!("The consent screen does not show {wanted:?}.")))
    };
    print(format_args!("   {}", seen(ACME_NAME)?))?;
    print(format_args!(
        "   {}   (the sandbox shows its address, and the first letter in its place)",
        seen("Logo:")?
    ))?;

    heading(5, "User authorizes access")?;
    let number = page.split_once("name=\"request\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
    let (number, _) = number.ok_or_else(|| CommandError::new("The consent screen has no form."))?;
    let decide = http
        .post(format!("{}/authorize", url.origin().ascii_serialization()))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(format!("request={number}&decision=approve"));
    let back = location(&send(decide, StatusCode::SEE_OTHER).await?)?;
    let callback = back.split('?').next().unwrap_or_default();
    print(format_args!("   \"Allow access\" is pressed; back to {callback} with code, state and iss"))?;

    heading(6, "Flow completes normally")?;
    send(user(http.get(&back)), StatusCode::SEE_OTHER).await?;
    print("   state and iss are right; the code was exchanged for a token")?;
    let answered = json(send(user(http.get(&tool)), StatusCode::OK).await?).await?;
    let answer = answered["content"][0]["text"].as_str().unwrap_or_default();
    if !answer.contains(ACME_NAME) {
        return Err(CommandError::new(format!("The tool answered {answered}.")));
    }
    print(format_args!("   tools/call {TOOL} answered {answer}"))
}

async fn send(request: RequestBuilder, wanted: StatusCode) -> Result<Response, CommandError> {
    let response = request.send().await.map_err(|error| CommandError::new(error.to_string()))?;
    if response.status() == wanted {
        return Ok(response);
    }
    let (url, status) = (response.url().clone(), response.status());
    Err(CommandError::new(format!("{url} answered {status}, not {wanted}: {}", text(response).await?)))
}

async fn text(response: Response) -> Result<String, CommandError> {
    response.text().await.map_err(|error| CommandError::new(error.to_string()))
}

async fn json(response: Response) -> Result<Value, CommandError> {
    serde_json::from_str(&text(response).await?).map_err(|error| CommandError::new(error.to_string()))
}

fn location(response: &Response) -> Result<String, CommandError> {
    let header = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    header.map(str::to_owned).ok_or_else(|| CommandError::new("The answer leads nowhere."))
}

/// The text that a page shows, block by block.
fn visible(page: &str) -> Vec<String> {
    let (_, main) = page.split_once("<main").unwrap_or(("", page));
    let (main, _) = main.split_once("</main>").unwrap_or((main, ""));
    let mut lines = vec![String::new()];
    for piece in main.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap_or((piece, ""));
        let inline =
            tag.starts_with("a ") || ["b", "/b", "/a", "code", "/code", "span", "/span"].contains(&tag);
        if !inline {
            lines.push(String::new());
        }
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(line) = lines.last_mut().filter(|_| !text.is_empty()) {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(
                &text.replace("&lt;", "<").replace("&gt;", ">").replace("&#38;", "&").replace("&amp;", "&"),
            );
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visible_text_is_that_of_the_page() {
        let page = "<title>x</title><main class=\"m\">\n<h1>Acme</h1>\n<p>wants to use <b>Notes</b> on your behalf</p><ul><li>Logo: <a href=\"x\">https://acme.com/l.png</a></li></ul></main>";
        let wanted = ["Acme", "wants to use Notes on your behalf", "Logo: https://acme.com/l.png"];
        assert_eq!(visible(page), wanted);
    }
}
