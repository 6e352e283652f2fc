//! Which characters a user-supplied name may hold.

/// Whether `character` shows nothing by itself: control and format characters, marks that turn the direction of writing,
/// zero-width and blank characters. In a name they make two that look alike differ, or one show as something else.
pub fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// The first character of `text` that no name may hold, as `U+202E`.
pub fn invisible_in(text: &str) -> Option<String> {
    text.chars().find(|character| is_invisible(*character)).map(|found| format!("U+{:04X}", u32::from(found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_names_are_accepted() {
        for name in ["Acme", "Łódź 2", "東京", "مكتب", "Ünïcödé-Team", "Team ❤\u{fe0f}", "a_b.c/d (e)"]
        {
            assert_eq!(invisible_in(name), None, "{name}");
        }
    }

    #[test]
    fn invisible_character_is_named() {
        for (character, word) in [
            ('\0', "U+0000"),
            ('\u{85}', "U+0085"),
            ('\u{ad}', "U+00AD"),
            ('\u{200b}', "U+200B"),
            ('\u{200d}', "U+200D"),
            ('\u{200e}', "U+200E"),
            ('\u{2028}', "U+2028"),
            ('\u{202a}', "U+202A"),
            ('\u{202e}', "U+202E"),
            ('\u{2060}', "U+2060"),
            ('\u{2066}', "U+2066"),
            ('\u{2069}', "U+2069"),
            ('\u{feff}', "U+FEFF"),
            ('\u{e0041}', "U+E0041"),
        ] {
            assert_eq!(invisible_in(&format!("Ac{character}me")).as_deref(), Some(word));
        }
    }
}
