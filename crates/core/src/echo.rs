//! Finds a secret in untrusted text in any encoding: plain, percent-, HTML- or JSON-encoded (also more
//! than once), spaced out, in other capitals, backwards, in hexadecimal or in base64.
//!
//! Everything is linear in the text. Only the text as it is and its encodings are compared for short secrets: the looser
//! comparisons need [`MIN_LOOSE`] letters and digits, so that ordinary words are not hidden.

use std::ops::Range;

/// Letters and digits that a secret needs to be found spaced out, backwards, in other capitals, in hexadecimal or base64.
const MIN_LOOSE: usize = 8;
/// How often a text may be encoded.
const MAX_ROUNDS: usize = 3;
/// The longest beginning of a secret that is looked for at the end of a text: words are cut to fewer characters.
const MAX_CUT: usize = 1024;
/// Longer texts are not looked through.
pub(crate) const MAX_TEXT: usize = 256 * 1024;
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// One character of a reading of a text, and the bytes of the text that it was read from.
#[derive(Clone, Copy)]
struct Read {
    character: char,
    from: usize,
    to: usize,
}

/// The parts of `text` that give `secret` away, in order, not overlapping.
pub(crate) fn find(secret: &str, text: &str) -> Vec<Range<usize>> {
    let only_cut_off = || cut_off(secret, text).into_iter().collect();
    if text.chars().take(least_length(secret)).count() < least_length(secret) {
        return only_cut_off();
    }
    if text.len() > MAX_TEXT {
        return std::iter::once(0..text.len()).collect();
    }
    let needles = Needles::of(secret);
    if is_plain(text) && !needles.are_in_plain(text) {
        return only_cut_off();
    }
    let mut reading: Vec<Read> = text
        .char_indices()
        .map(|(from, character)| Read { character, from, to: from + character.len_utf8() })
        .collect();
    let mut found = Vec::new();
    for round in 0..=MAX_ROUNDS {
        if round > 0 {
            match decoded(&reading) {
                Some(next) => reading = next,
                None => break,
            }
        }
        needles.find(&reading, &mut found);
    }
    found.extend(cut_off(secret, text));
    merged(found)
}

/// The characters of the shortest text that holds all of `secret`: no way of writing is shorter than the letters and digits
/// alone.
fn least_length(secret: &str) -> usize {
    let (letters, characters) = letters_and_characters(secret);
    if is_loose(letters, characters) { letters } else { characters }
}

fn letters_and_characters(secret: &str) -> (usize, usize) {
    (secret.chars().filter(|one| one.is_alphanumeric()).count(), secret.chars().count())
}

/// Whether a secret of so many letters and digits, and characters, is found by its letters and digits alone.
fn is_loose(letters: usize, characters: usize) -> bool {
    letters >= MIN_LOOSE && letters * 2 >= characters
}

/// Whether nothing in `text` can be decoded.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii() && !matches!(byte, b'%' | b'\\' | b'&'))
}

/// The beginning of the secret at the end of a text that was cut there.
fn cut_off(secret: &str, text: &str) -> Option<Range<usize>> {
    let longest = MAX_CUT.min(text.len()).min(secret.len().saturating_sub(1));
    let mut ends = (MIN_LOOSE..=longest).rev().filter(|end| secret.is_char_boundary(*end));
    let length = ends.find(|end| text.ends_with(&secret[..*end]))?;
    Some(text.len() - length..text.len())
}

/// What is looked for.
struct Needles {
    exact: String,
    /// In a reading of lower-case letters and digits alone.
    loose: Vec<String>,
    /// In a reading of base64's characters.
    base64: Vec<String>,
}

impl Needles {
    fn of(secret: &str) -> Self {
        let skeleton: String = secret.chars().filter_map(lowered).collect();
        let (mut loose, mut base64) = (Vec::new(), Vec::new());
        if secret.len() >= MIN_LOOSE {
            loose.push(hexadecimal(secret));
            base64 = (0..3).map(|offset| base64_core(secret.as_bytes(), offset)).collect();
        }
        let (letters, characters) = letters_and_characters(secret);
        if is_loose(letters, characters) {
            loose.push(skeleton.chars().rev().collect());
            loose.push(skeleton);
        }
        Self { exact: secret.to_owned(), loose, base64 }
    }

    /// Whether one of them is in a text in which nothing can be decoded.
    fn are_in_plain(&self, text: &str) -> bool {
        let has = |keep: fn(char) -> Option<char>, needles: &[String]| {
            let kept: String = text.chars().filter_map(keep).collect();
            needles.iter().any(|needle| kept.contains(needle))
        };
        text.contains(&self.exact) || has(lowered, &self.loose) || has(base64_character, &self.base64)
    }

    fn find(&self, reading: &[Read], found: &mut Vec<Range<usize>>) {
        let as_it_is = View::of(reading, Some);
        as_it_is.find(&self.exact, reading, found);
        if self.loose.is_empty() {
            return;
        }
        let loose = View::of(reading, lowered);
        for needle in &self.loose {
            loose.find(needle, reading, found);
        }
        let base64 = View::of(reading, base64_character);
        for needle in &self.base64 {
            let start = found.len();
            base64.find(needle, reading, found);
            for range in &mut found[start..] {
                widen(range, reading);
            }
        }
    }
}

/// A reading of some of the characters of another one.
struct View {
    text: String,
    /// For each byte of `text`, the place in the reading.
    places: Vec<usize>,
}

impl View {
    fn of(reading: &[Read], keep: impl Fn(char) -> Option<char>) -> Self {
        let mut view = Self { text: String::with_capacity(reading.len()), places: Vec::new() };
        for (place, read) in reading.iter().enumerate() {
            if let Some(character) = keep(read.character) {
                view.text.push(character);
                view.places.resize(view.text.len(), place);
            }
        }
        view
    }

    fn find(&self, needle: &str, reading: &[Read], found: &mut Vec<Range<usize>>) {
        for (start, matched) in self.text.match_indices(needle) {
            let last = self.places[start + matched.len() - 1];
            found.push(reading[self.places[start]].from..reading[last].to);
        }
    }
}

/// Letters and digits, without capitals.
fn lowered(character: char) -> Option<char> {
    character.is_alphanumeric().then(|| character.to_lowercase().next().unwrap_or(character))
}

/// The characters of both alphabets of base64 in those of the first (RFC 4648 §4, §5); line breaks and spaces in between
/// are nothing, and anything else ends it.
fn base64_character(character: char) -> Option<char> {
    match character {
        '-' => Some('+'),
        '_' => Some('/'),
        '+' | '/' => Some(character),
        _ if character.is_ascii_alphanumeric() => Some(character),
        _ if character.is_whitespace() => None,
        _ => Some('.'),
    }
}

fn hexadecimal(secret: &str) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    secret.bytes().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// What of the base64 of a text stays the same when the text begins `offset` bytes after a multiple of three.
fn base64_core(bytes: &[u8], offset: usize) -> String {
    let padded: Vec<u8> = std::iter::repeat_n(0, offset).chain(bytes.iter().copied()).collect();
    let bit = |index: usize| (padded[index / 8] >> (7 - index % 8)) & 1;
    // From the first to the last character that is made of bits of these bytes alone.
    let (first, end) = ((offset * 8).div_ceil(6), padded.len() * 8 / 6);
    (first..end)
        .map(|place| {
            let six = (place * 6..place * 6 + 6).fold(0, |value, index| value << 1 | bit(index));
            char::from(BASE64[usize::from(six)])
        })
        .collect()
}

/// Widens a piece of base64 to all of it: the characters at its ends are partly made of the secret.
fn widen(range: &mut Range<usize>, reading: &[Read]) {
    let is_part = |read: &Read| read.character.is_ascii_alphanumeric() || "+/-_=".contains(read.character);
    let first = reading.partition_point(|read| read.from < range.start);
    let end = reading.partition_point(|read| read.to <= range.end);
    // Two characters on each side hold all that is left of the secret, and its padding.
    if let Some(read) = reading[..first].iter().rev().take(2).take_while(|read| is_part(read)).last() {
        range.start = read.from;
    }
    if let Some(read) = reading[end..].iter().take(4).take_while(|read| is_part(read)).last() {
        range.end = read.to;
    }
}

/// One round of decoding; `None` when nothing was encoded.
fn decoded(reading: &[Read]) -> Option<Vec<Read>> {
    let mut result = Vec::with_capacity(reading.len());
    let mut changed = false;
    let mut place = 0;
    while place < reading.len() {
        let rest = &reading[place..];
        if let Some(taken) = percent(rest, &mut result) {
            (place, changed) = (place + taken, true);
        } else if let Some((character, taken)) = escaped(rest) {
            result.push(Read { character, from: rest[0].from, to: rest[taken - 1].to });
            (place, changed) = (place + taken, true);
        } else {
            result.push(rest[0]);
            place += 1;
        }
    }
    changed.then_some(result)
}

/// A run of `%XX` (RFC 3986 §2.1), of which some characters may take several.
fn percent(rest: &[Read], result: &mut Vec<Read>) -> Option<usize> {
    let byte = |chunk: &[Read]| match chunk {
        [sign, high, low] if sign.character == '%' => {
            u8::try_from(high.character.to_digit(16)? * 16 + low.character.to_digit(16)?).ok()
        }
        _ => None,
    };
    // A character takes at most four: a longer run is read in the next call.
    let bytes: Vec<u8> = rest.chunks(3).take(4).map_while(byte).collect();
    let first = *bytes.first()?;
    let (character, length) = (1..=bytes.len())
        .find_map(|length| {
            let character = std::str::from_utf8(&bytes[..length]).ok()?.chars().next()?;
            Some((character, length))
        })
        .unwrap_or((char::from(first), 1));
    result.push(Read { character, from: rest[0].from, to: rest[length * 3 - 1].to });
    Some(length * 3)
}

/// One character written as `\u0041`, `%u0041`, `\x41`, `\/`, `&#65;`, `&#x41;`, `&amp;` or in full width.
fn escaped(rest: &[Read]) -> Option<(char, usize)> {
    let at = |place: usize| rest.get(place).map(|read| read.character);
    let number = |from: usize, to: usize, radix: u32| {
        let digits = rest.get(from..to)?;
        let value = digits.iter().try_fold(0_u32, |value, read| {
            value.checked_mul(radix)?.checked_add(read.character.to_digit(radix)?)
        })?;
        char::from_u32(value)
    };
    match (at(0)?, at(1)) {
        ('\\' | '%', Some('u' | 'U')) => Some((number(2, 6, 16)?, 6)),
        ('\\', Some('x' | 'X')) => Some((number(2, 4, 16)?, 4)),
        ('\\', Some(quoted @ ('/' | '"' | '\'' | '\\'))) => Some((quoted, 2)),
        ('&', Some('#')) => {
            let end = rest.iter().take(12).position(|read| read.character == ';')?;
            let is_hex = matches!(at(2), Some('x' | 'X'));
            let (from, radix) = if is_hex { (3, 16) } else { (2, 10) };
            (end > from).then(|| number(from, end, radix))?.map(|character| (character, end + 1))
        }
        ('&', Some(_)) => {
            let end = rest.iter().take(7).position(|read| read.character == ';')?;
            let name: String = rest[1..end].iter().map(|read| read.character).collect();
            let character = match name.as_str() {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                _ => return None,
            };
            Some((character, end + 1))
        }
        (wide @ '\u{ff01}'..='\u{ff5e}', _) => {
            char::from_u32(u32::from(wide) - 0xff01 + 0x21).map(|narrow| (narrow, 1))
        }
        _ => None,
    }
}

/// Ranges in order, those that touch as one.
fn merged(mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    found.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(found.len());
    for range in found {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests;
