//! The words of an HTML page or an XML document that was answered instead of JSON.

use super::clean::clean;

/// Elements whose content is not shown to readers of a page.
const HIDDEN: [&str; 5] = ["script", "style", "head", "noscript", "template"];
/// Elements of an XML error document that hold its message, the best first.
const MESSAGES: [&str; 8] = [
    "error_description",
    "message",
    "faultstring",
    "detail",
    "description",
    "reason",
    "errormessage",
    "title",
];

/// Whether `text` is markup.
pub(super) fn is_markup(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with('<')
        && text[1..].starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '!' | '?'))
}

/// Whether `text` is an HTML page.
pub(super) fn is_page(text: &str) -> bool {
    let start: String = text.trim_start().chars().take(2_000).collect::<String>().to_ascii_lowercase();
    is_markup(&start)
        && ["<html", "<!doctype html", "<head", "<body", "<title", "<h1", "<p", "<div", "<center"]
            .iter()
            .any(|tag| start.contains(tag))
}

/// How much of a page or document is looked at, in bytes: what it says is at its beginning, and reading takes quadratic time.
const MAX_LOOKED_AT: usize = 4 * 1024;

/// The longest name of an element that is compared, in bytes.
const MAX_TAG_NAME: usize = 64;

fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_LOOKED_AT)]
}

/// What a page says: its title, else its first heading, else its first visible text.
pub(super) fn page_words(text: &str) -> Option<String> {
    let text = beginning(text);
    ["title", "h1", "h2"].iter().find_map(|name| element(text, name)).or_else(|| first_text(text))
}

/// What an XML document says: the element with the message, with the code before it; else all its text.
pub(super) fn document_words(text: &str) -> Option<String> {
    let text = beginning(text);
    let message = MESSAGES.iter().find_map(|name| element(text, name));
    let code = ["code", "error", "faultcode"].iter().find_map(|name| element(text, name));
    match (code, message) {
        (Some(code), Some(message)) if !message.contains(&code) => {
            Some(clean(&format!("{code}: {message}"), 500))
        }
        (_, Some(message)) => Some(message),
        _ => visible(text),
    }
}

/// The text of the first element `name` (in any case and with any prefix) that holds some.
fn element(text: &str, name: &str) -> Option<String> {
    // `to_ascii_lowercase` keeps every position.
    let lower = text.to_ascii_lowercase();
    let mut from = 0;
    while let Some(at) = lower[from..].find('<') {
        let start = from + at + 1;
        from = start;
        let tag = &lower[start..];
        let near = &tag[..tag.floor_char_boundary(MAX_TAG_NAME)];
        let tag_name =
            near.split(|c: char| c.is_whitespace() || matches!(c, '>' | '/')).next().unwrap_or_default();
        if tag_name.rsplit(':').next() != Some(name) || tag_name.is_empty() {
            continue;
        }
        let open = tag.find('>')?;
        let content = start + open + 1;
        // What has no end is not looked for again.
        let Some(length) = lower[content..].find(&format!("</{tag_name}")) else {
            return visible(&text[content..]);
        };
        if let Some(words) = visible(&text[content..content + length]) {
            return Some(words);
        }
    }
    None
}

/// All visible text of `markup`, with one space between its parts.
fn visible(markup: &str) -> Option<String> {
    let parts: Vec<String> = texts(markup).collect();
    let words = clean(&parts.join(" "), 500);
    (!words.is_empty()).then_some(words)
}

fn first_text(markup: &str) -> Option<String> {
    texts(markup).next().map(|text| clean(&text, 500)).filter(|text| !text.is_empty())
}

/// The texts between the tags, without those that are not shown.
fn texts(markup: &str) -> impl Iterator<Item = String> + '_ {
    let mut rest = markup;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            if let Some(comment) = rest.strip_prefix("<!--") {
                rest = comment.split_once("-->").map_or("", |(_, after)| after);
            } else if let Some(data) = rest.strip_prefix("<![CDATA[") {
                let (inside, after) = data.split_once("]]>").unwrap_or((data, ""));
                rest = after;
                if let Some(text) = collapsed(inside) {
                    return Some(text);
                }
            } else if let Some(tag) = rest.strip_prefix('<') {
                let name: String = tag
                    .chars()
                    .take_while(char::is_ascii_alphanumeric)
                    .collect::<String>()
                    .to_ascii_lowercase();
                rest = tag.split_once('>').map_or("", |(_, after)| after);
                if HIDDEN.contains(&name.as_str()) {
                    let lower = rest.to_ascii_lowercase();
                    rest = lower.find(&format!("</{name}")).map_or("", |end| &rest[end..]);
                }
            } else {
                let end = rest.find('<').unwrap_or(rest.len());
                let (text, after) = rest.split_at(end);
                rest = after;
                if let Some(text) = collapsed(&unescaped(text)) {
                    return Some(text);
                }
            }
        }
        None
    })
}

fn collapsed(text: &str) -> Option<String> {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!words.is_empty()).then_some(words)
}

/// `text` without the character references that error pages use.
fn unescaped(text: &str) -> String {
    let mut read = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        read.push_str(&rest[..at]);
        rest = &rest[at..];
        let near = &rest[1..rest.floor_char_boundary(10)];
        let reference = near.split_once(';').map(|(name, _)| name);
        if let Some((name, c)) = reference.and_then(|name| Some((name, character(name)?))) {
            read.push(c);
            rest = &rest[name.len() + 2..];
        } else {
            read.push('&');
            rest = &rest[1..];
        }
    }
    read.push_str(rest);
    read
}

fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" | "rsquo" | "lsquo" => '\'',
        "nbsp" => ' ',
        "ndash" | "mdash" => '–',
        "hellip" => '…',
        "copy" => '©',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_documents_have_words() {
        for (page, words) in [
            ("<!DOCTYPE html><html><head><TITLE>Bad\ngateway</TITLE></head>", Some("Bad gateway")),
            ("<html><title></title><h1 class=x>No &amp; never&#33;</h1>", Some("No & never!")),
            ("<html><title> </title><body><script>var a='<p>';</script><p>Just <b>go</b></p>", Some("Just")),
            ("<html><body>no title", Some("no title")),
            ("<html><head><style>b{}</style></head><!-- x --><div>Sign in</div>", Some("Sign in")),
            ("<html></html>", None),
            ("<h1>403 Forbidden</h1>", Some("403 Forbidden")),
            ("<title>Attention Required! | Edge", Some("Attention Required! | Edge")),
        ] {
            assert!(is_page(page), "{page}");
            assert_eq!(page_words(page).as_deref(), words, "{page}");
        }
        for (document, words) in [
            (
                "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
                "AccessDenied: Access Denied",
            ),
            (
                "<s:Envelope><s:Body><s:Fault><faultcode>Client</faultcode><faultstring>No name</faultstring></s:Fault></s:Body></s:Envelope>",
                "Client: No name",
            ),
            ("<error>client_name is too long</error>", "client_name is too long"),
            (
                "<oauth><error>invalid_request</error><error_description><![CDATA[a < b]]></error_description></oauth>",
                "invalid_request: a < b",
            ),
        ] {
            assert!(is_markup(document) && !is_page(document), "{document}");
            assert_eq!(document_words(document).as_deref(), Some(words), "{document}");
        }
        assert!(!is_markup("< 16 characters") && !is_markup("<") && !is_markup("a<b>"));
    }

    #[test]
    fn hostile_pages_are_read_in_bounded_time() {
        let started = std::time::Instant::now();
        for page in [
            format!("<html>{}{}", "<title>".repeat(18_000), "<script></script>".repeat(7_500)),
            format!("<html>{}", "<".repeat(250_000)),
            format!("<html>{}", "&".repeat(250_000)),
            format!("<html>{}", "&amp;".repeat(50_000)),
            format!("<html>{}", "é".repeat(100_000)),
        ] {
            let _ = (page_words(&page), document_words(&page));
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
    }

    proptest::proptest! {
        #[test]
        fn hostile_markup_never_panics(text in "(<[a-zé!?/]{0,6}>?|&#?[0-9a-zé]{0,5};?|.){0,40}") {
            let _ = (is_page(&text), page_words(&text), document_words(&text));
        }
    }
}
