use super::*;
use crate::secret::Secret;
use proptest::prelude::*;
use std::fmt::Write;

fn base64(bytes: &[u8], url_safe: bool, padded: bool) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            let six = (word >> (18 - 6 * place)) & 63;
            let character = char::from(BASE64[usize::try_from(six).unwrap_or_default()]);
            text.push(match character {
                '+' if url_safe => '-',
                '/' if url_safe => '_',
                other => other,
            });
        }
        if padded {
            text.push_str(&"=".repeat(3 - chunk.len()));
        }
    }
    text
}

fn each(secret: &str, written: impl Fn(u8) -> String) -> String {
    secret.bytes().map(written).collect()
}

fn spaced(secret: &str, separator: &str) -> String {
    secret.chars().map(String::from).collect::<Vec<_>>().join(separator)
}

/// Every way of writing a secret that is looked for.
fn writings(secret: &str) -> Vec<String> {
    let percent = each(secret, |byte| format!("%{byte:02X}"));
    let mut all = vec![
        secret.to_owned(),
        percent.clone(),
        each(secret, |byte| format!("%{byte:02x}")),
        each(
            secret,
            |byte| if byte % 2 == 0 { format!("%{byte:02X}") } else { char::from(byte).to_string() },
        ),
        percent.replace('%', "%25"),
        percent.replace('%', "%2525"),
        each(secret, |byte| format!("\\u{byte:04x}")),
        each(secret, |byte| format!("\\u{byte:04X}")),
        each(secret, |byte| format!("%u{byte:04x}")),
        each(secret, |byte| format!("\\x{byte:02x}")),
        each(secret, |byte| format!("&#{byte};")),
        each(secret, |byte| format!("&#x{byte:x};")),
        each(secret, |byte| format!("{byte:02x}")),
        each(secret, |byte| format!("{byte:02X}:")),
        each(secret, |byte| char::from_u32(u32::from(byte) - 0x21 + 0xff01).unwrap_or('?').to_string()),
        secret.to_uppercase(),
        secret.to_lowercase(),
        secret.chars().rev().collect(),
        spaced(&percent, " "),
    ];
    all.extend([" ", "-", ".", ",", "\u{200b}", "\n", " | "].map(|separator| spaced(secret, separator)));
    for before in ["", "x", "xy", "client:"] {
        for after in ["", "z", "zz"] {
            for (url_safe, padded) in [(false, true), (false, false), (true, true), (true, false)] {
                all.push(base64(format!("{before}{secret}{after}").as_bytes(), url_safe, padded));
            }
        }
    }
    let lines = base64(secret.as_bytes(), false, true);
    let (one, other) = lines.split_at(lines.len() / 2);
    all.push(format!("{one}\r\n{other}"));
    all
}

#[test]
fn secret_is_hidden_in_every_encoding() {
    for secret in ["canary-7Qx2Zk9LmNp4", "C4n4ryTokenValue", "a/b+c=d&e<f>g\"h'i~j~k"] {
        for written in writings(secret) {
            let text = format!("It was <{written}> here.");
            let hidden = Secret::new(secret).scrub(&text);
            assert!(
                hidden.contains("[secret]") && !hidden.contains(&written),
                "{secret}: {text} -> {hidden}"
            );
            assert!(hidden.starts_with("It was <") && hidden.ends_with("> here."), "{text} -> {hidden}");
        }
    }
}

#[test]
fn ordinary_text_is_left_alone() {
    let text = "The scope `read write` is not known: can a ry-test be used here? dGhlIHNjb3Bl, %41%42, &amp;, \\u0041.";
    for secret in ["s3", "test1", "canary", "C4n4ryTokenValue", "kEy9", "9a8b7c6d5e4f"] {
        assert_eq!(Secret::new(secret).scrub(text), text, "{secret}");
    }
    // A short secret is found as it is and encoded, and no other way.
    assert_eq!(
        Secret::new("canary").scrub("a canary, a c%61nary, a c a n a r y"),
        "a [secret], a [secret], a c a n a r y"
    );
}

#[test]
fn truncated_secret_is_hidden() {
    let secret = Secret::new("C4n4ryTokenValue");
    assert_eq!(secret.scrub("sent was C4n4ryTokenVal"), "sent was [secret]");
    assert_eq!(secret.scrub("sent was C4n4ry"), "sent was C4n4ry");
}

#[test]
fn scan_time_is_linear_and_text_is_capped() {
    let secret = "baaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    for text in [
        "a".repeat(MAX_TEXT),
        "%25".repeat(MAX_TEXT / 3),
        "&#".repeat(MAX_TEXT / 2),
        "\\u".repeat(MAX_TEXT / 2),
    ] {
        let started = std::time::Instant::now();
        assert!(find(secret, &text).is_empty());
        assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
    }
    assert_eq!(find(secret, &"x".repeat(MAX_TEXT + 1)).len(), 1, "what is not looked through is hidden");
}

proptest! {
    #[test]
    fn no_encoding_of_a_secret_remains(secret in "[!-~]{12,40}", before in "[ -~]{0,12}", after in "[ -~]{0,12}") {
        let letters = secret.chars().filter(char::is_ascii_alphanumeric).count();
        prop_assume!(letters >= MIN_LOOSE && letters * 2 >= secret.len());
        for written in [
            secret.clone(),
            each(&secret, |byte| format!("%{byte:02X}")),
            each(&secret, |byte| format!("&#{byte};")),
            spaced(&secret, " "),
            base64(secret.as_bytes(), true, false),
            each(&secret, |byte| format!("{byte:02x}")),
        ] {
            let found = find(&secret, &format!("{before} {written} {after}"));
            prop_assert!(!found.is_empty(), "{written}");
        }
    }

    #[test]
    fn any_text_is_scanned_without_panic(secret in ".{4,20}", text in ".{0,200}") {
        let mut last = 0;
        for range in find(&secret, &text) {
            prop_assert!(range.start >= last && range.end > range.start && range.end <= text.len());
            prop_assert!(text.is_char_boundary(range.start) && text.is_char_boundary(range.end));
            last = range.end;
        }
    }

    #[test]
    fn text_without_the_secret_is_unchanged(text in "[a-m ]{0,200}") {
        let mut kept = String::new();
        let _ = write!(kept, "{}", Secret::new("zyxwvutsrqpo").scrub(&text));
        prop_assert_eq!(kept, text);
    }
}
