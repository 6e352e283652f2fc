//! Characters that come from word processors and web pages, by name.

/// Whether `character` shows nothing: white space of any kind, zero-width characters, a byte order mark.
pub(crate) fn is_blank_or_invisible(character: char) -> bool {
    character.is_whitespace()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
}

/// `character` for a sentence: `U+201C left double quotation mark`; a plain one in backticks.
pub(crate) fn character_name(character: char) -> String {
    let name = match character {
        ' ' => "space",
        '\t' => "tab",
        '\n' => "line break",
        '\r' => "carriage return",
        '\u{a0}' => "no-break space",
        '\u{ad}' => "soft hyphen",
        '\u{200b}' => "zero-width space",
        '\u{200c}' => "zero-width non-joiner",
        '\u{200d}' => "zero-width joiner",
        '\u{200e}' => "left-to-right mark",
        '\u{200f}' => "right-to-left mark",
        '\u{2007}' => "figure space",
        '\u{2009}' => "thin space",
        '\u{202f}' => "narrow no-break space",
        '\u{2010}' => "hyphen",
        '\u{2011}' => "non-breaking hyphen",
        '\u{2012}' => "figure dash",
        '\u{2013}' => "en dash",
        '\u{2014}' => "em dash",
        '\u{2018}' => "left single quotation mark",
        '\u{2019}' => "right single quotation mark",
        '\u{201a}' => "single low-9 quotation mark",
        '\u{201c}' => "left double quotation mark",
        '\u{201d}' => "right double quotation mark",
        '\u{201e}' => "double low-9 quotation mark",
        '\u{ab}' => "left-pointing double angle quotation mark",
        '\u{bb}' => "right-pointing double angle quotation mark",
        '\u{2028}' => "line separator",
        '\u{2029}' => "paragraph separator",
        '\u{2060}' => "word joiner",
        '\u{2026}' => "horizontal ellipsis",
        '\u{3000}' => "ideographic space",
        '\u{feff}' => "byte order mark",
        '\u{ff0c}' => "fullwidth comma",
        '\u{ff1a}' => "fullwidth colon",
        '\u{ff02}' => "fullwidth quotation mark",
        '`' => return "U+0060 grave accent".to_owned(),
        _ if character.is_ascii_graphic() => return format!("`{character}`"),
        _ if character.is_control() => "control character",
        _ if character.is_whitespace() => "blank",
        _ if crate::names::is_invisible(character) => "invisible character",
        _ => return format!("U+{:04X} `{character}`", u32::from(character)),
    };
    format!("U+{:04X} {name}", u32::from(character))
}

/// What to write in place of a character that a word processor put there, if that is clear.
pub(crate) fn plain_form(character: char) -> Option<&'static str> {
    Some(match character {
        '\u{2018}' | '\u{2019}' | '\u{201a}' => "'",
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{ab}' | '\u{bb}' | '\u{ff02}' => "\"",
        '\u{2010}'..='\u{2014}' => "-",
        '\u{2026}' => "...",
        '\u{ff0c}' => ",",
        '\u{ff1a}' => ":",
        '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => "",
        _ if character.is_whitespace() => " ",
        _ => return None,
    })
}

/// `text` with the characters of word processors replaced by those they stand for; `None`: others are in it too.
pub(crate) fn written_plainly(text: &str) -> Option<String> {
    let plain: String = text
        .chars()
        .map(|character| match plain_form(character) {
            Some(plain) if !matches!(character, ' ') => plain.to_owned(),
            _ => character.to_string(),
        })
        .collect();
    let plain = plain.trim();
    (plain != text && plain.bytes().all(|byte| (0x20..=0x7e).contains(&byte))).then(|| plain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_have_names() {
        for (character, name) in [
            ('\u{201c}', "U+201C left double quotation mark"),
            ('\u{a0}', "U+00A0 no-break space"),
            ('\u{feff}', "U+FEFF byte order mark"),
            ('\u{200b}', "U+200B zero-width space"),
            ('\n', "U+000A line break"),
            ('\u{7}', "U+0007 control character"),
            (',', "`,`"),
            ('é', "U+00E9 `é`"),
            ('\u{2003}', "U+2003 blank"),
            ('\u{202e}', "U+202E invisible character"),
        ] {
            assert_eq!(character_name(character), name);
        }
    }
}
