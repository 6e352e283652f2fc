//! An authorization server's response as its readers see it: status, the headers that matter, and the body as text.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// A response of an authorization server.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpAnswer<'a> {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// `Content-Type`, verbatim.
    pub content_type: Option<&'a str>,
    /// `Location`, verbatim.
    pub location: Option<&'a str>,
    /// The body; of an unsuccessful response only the beginning.
    pub body: &'a [u8],
}

/// A body as text.
pub(super) struct BodyText {
    /// The text, without a byte order mark.
    pub(super) text: String,
    /// What was odd about its encoding, a sentence for users.
    pub(super) warning: Option<String>,
}

impl<'a> HttpAnswer<'a> {
    /// A response of which only status and body are known.
    pub fn new(status: u16, body: &'a [u8]) -> Self {
        Self { status, body, ..Self::default() }
    }

    /// Whether the status says that the request was carried out.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the body says nothing: it is blank, `null` or an empty object.
    pub fn says_nothing(&self) -> bool {
        let text: String = self.text().text.split_whitespace().collect();
        matches!(text.as_str(), "" | "null" | "{}" | "\"\"")
    }

    /// The body as text. JSON is UTF-8 (RFC 8259 §8.1); a body in another encoding is read with a warning.
    pub(super) fn text(&self) -> BodyText {
        let (text, encoding) = decode(self.body, self.charset());
        let warning = encoding.map(|name| {
            format!("The answer is not encoded in UTF-8 (RFC 8259 §8.1); it was read as {name}.")
        });
        BodyText { text: unwrapped(text, self.content_type), warning }
    }

    /// The encoding that `Content-Type` names.
    fn charset(&self) -> Option<&'static Encoding> {
        let parameters = self.content_type?.split(';').skip(1);
        let label = parameters
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
            .map(|(_, label)| label.trim().trim_matches(['"', '\'']))?;
        Encoding::for_label(label.as_bytes())
    }
}

/// `body` as text, and the name of the encoding if it is not UTF-8. What the bytes say counts before what the header says:
/// many servers name ISO-8859-1 out of habit and send UTF-8.
fn decode(body: &[u8], labelled: Option<&'static Encoding>) -> (String, Option<&'static str>) {
    if let Some(text) = utf_32(body) {
        return (text, Some("UTF-32"));
    }
    if let Some((encoding, length)) = Encoding::for_bom(body) {
        let (text, _) = encoding.decode_without_bom_handling(&body[length..]);
        return (text.into_owned(), (encoding != UTF_8).then(|| encoding.name()));
    }
    let encoding = match (body, labelled) {
        ([0, second, ..], _) if *second != 0 => UTF_16BE,
        ([first, 0, ..], _) if *first != 0 => UTF_16LE,
        // An encoding of escape sequences is valid UTF-8 too.
        (_, Some(labelled)) if !labelled.is_ascii_compatible() && body.contains(&0x1b) => labelled,
        _ => match (std::str::from_utf8(body), labelled) {
            (Ok(text), _) => return (text.to_owned(), None),
            (Err(_), Some(labelled)) if labelled != UTF_8 => labelled,
            (Err(_), _) => WINDOWS_1252,
        },
    };
    let (text, _) = encoding.decode_without_bom_handling(body);
    (text.into_owned(), Some(encoding.name()))
}

/// UTF-32 with a byte order mark, or with a first character of ASCII.
fn utf_32(body: &[u8]) -> Option<String> {
    let read: fn([u8; 4]) -> u32 = match body {
        [0xff, 0xfe, 0, 0, ..] => u32::from_le_bytes,
        [0, 0, 0xfe, 0xff, ..] => u32::from_be_bytes,
        [first, 0, 0, 0, ..] if *first != 0 => u32::from_le_bytes,
        [0, 0, 0, first, ..] if *first != 0 => u32::from_be_bytes,
        _ => return None,
    };
    let (units, rest) = body.as_chunks::<4>();
    let text: Option<String> = units.iter().map(|unit| char::from_u32(read(*unit))).collect();
    text.filter(|_| rest.is_empty()).map(|text| text.trim_start_matches('\u{feff}').to_owned())
}

/// The text without what some servers put around JSON: a prefix against script inclusion, or an event stream of one event.
fn unwrapped(text: String, content_type: Option<&str>) -> String {
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    if let Some(rest) = text.trim_start().strip_prefix(")]}'") {
        return rest.trim_start_matches(',').to_owned();
    }
    let streamed =
        content_type.is_some_and(|kind| kind.trim().to_ascii_lowercase().starts_with("text/event-stream"));
    if streamed {
        let data: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data:")).collect();
        return data.join("\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content_type: Option<&str>, body: &[u8]) -> (String, bool) {
        let answer = HttpAnswer { content_type, ..HttpAnswer::new(200, body) };
        let BodyText { text, warning } = answer.text();
        (text, warning.is_some())
    }

    #[test]
    fn bodies_are_decoded_by_their_bytes_then_by_their_label() {
        let json = "{\"a\":\"Caf\u{e9} \u{65e5}\"}";
        let latin = "{\"a\":\"Caf\u{e9}\"}";
        let utf_16 = |big: bool, mark: bool| -> Vec<u8> {
            let units = mark.then_some(0xfeff).into_iter().chain(json.encode_utf16());
            units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
        };
        let utf_32 = |big: bool, mark: bool| -> Vec<u8> {
            let units = mark.then_some('\u{feff}').into_iter().chain(json.chars()).map(u32::from);
            units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
        };
        assert_eq!(read(None, json.as_bytes()), (json.to_owned(), false));
        assert_eq!(read(None, format!("\u{feff}{json}").as_bytes()), (json.to_owned(), false));
        let named_wrongly = "application/json; charset=ISO-8859-1";
        assert_eq!(read(Some(named_wrongly), json.as_bytes()), (json.to_owned(), false));
        assert_eq!(read(Some("application/json; charset=utf-16"), json.as_bytes()), (json.to_owned(), false));
        for big in [false, true] {
            for mark in [false, true] {
                assert_eq!(read(None, &utf_16(big, mark)), (json.to_owned(), true), "{big} {mark}");
                assert_eq!(read(Some("a/b; charset=utf-8"), &utf_32(big, mark)), (json.to_owned(), true));
            }
        }
        let single: Vec<u8> = latin.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect();
        for label in [
            None,
            Some("a/b; charset=latin1"),
            Some("a/b; charset=utf-8"),
            Some("a/b;charset=\"windows-1252\""),
        ] {
            assert_eq!(read(label, &single), (latin.to_owned(), true), "{label:?}");
        }
        let (shifted, _, _) = encoding_rs::SHIFT_JIS.encode("{\"a\":\"日本\"}");
        assert_eq!(read(Some("a/b; Charset=Shift_JIS"), &shifted), ("{\"a\":\"日本\"}".to_owned(), true));
        let escaped = b"{\"a\":\"\x1b$BF|K\\\x1b(B\"}";
        assert_eq!(read(Some("a/b; charset=iso-2022-jp"), escaped).0, "{\"a\":\"日本\"}");
        assert_eq!(read(None, b")]}',\n{}").0.trim(), "{}");
        assert_eq!(
            read(Some("text/event-stream"), b"event: message\ndata: {\"a\":1}\n\n").0.trim(),
            "{\"a\":1}"
        );
    }

    #[test]
    fn blank_bodies_say_nothing() {
        for body in ["", " \r\n", "null", " {\n} ", "\"\"", "\u{feff}"] {
            assert!(HttpAnswer::new(200, body.as_bytes()).says_nothing(), "{body:?}");
        }
        assert!(!HttpAnswer::new(200, b"{\"a\":1}").says_nothing());
    }

    proptest::proptest! {
        #[test]
        fn hostile_bodies_never_panic(body: Vec<u8>, label in "(utf-8|utf-16|gbk|iso-2022-jp|x)?") {
            let kind = format!("application/json; charset={label}");
            let _ = read(Some(&kind), &body);
        }
    }
}
