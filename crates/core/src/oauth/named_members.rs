//! What the words of a refusal say about client metadata members: which are named, whether they are unknown there, which
//! values are offered, how long and of which characters a name may be. Only `error` and `error_description` are read.

use super::failure::Failure;
use crate::plain_name::Alphabet;

/// How members are written in refusals, in words of lower case: `client_name`, `clientName`, `/client_name`, "client name".
const NAMES: &[(&str, &[&str])] = &[
    ("application_type", &["application type", "app type"]),
    ("client_name", &["client name"]),
    ("client_uri", &["client uri", "client url"]),
    ("contacts", &["contacts"]),
    ("grant_types", &["grant types", "grant type", "refresh token"]),
    ("logo_uri", &["logo uri", "logo url", "logo"]),
    ("policy_uri", &["policy uri", "policy url", "privacy policy"]),
    ("response_types", &["response types", "response type"]),
    ("scope", &["scope", "scopes"]),
    ("software_id", &["software id"]),
    ("software_version", &["software version"]),
    (
        "token_endpoint_auth_method",
        &[
            "auth method",
            "auth methods",
            "authentication method",
            "authentication methods",
            "client secret post",
            "client secret basic",
            "public client",
            "public clients",
            "confidential client",
            "confidential clients",
        ],
    ),
    ("tos_uri", &["tos uri", "tos url", "terms of service"]),
];

/// The length of a name that is refused as too long without saying how long it may be.
const SHORT_NAME: usize = 16;

/// After these words a sentence lists what would be right, not what is wrong.
const OFFERS: [&str; 8] =
    ["allowed", "permitted", "expected", "accepted", "supported", "valid", "known", "recognized"];
const NEGATIONS: [&str; 8] = ["not", "cannot", "never", "no", "isn", "aren", "t", "nor"];
/// After these words it says again what was sent.
const RECEIVED: [&str; 5] = ["got", "received", "found", "but", "provided"];

/// The words of a refusal, taken apart.
pub(super) struct NamedMembers {
    text: String,
    words: Vec<Word>,
}

struct Word {
    text: String,
    /// Whether a new sentence (or entry of a list of refusals) begins with it.
    first: bool,
    /// Whether it belongs to a list of what would be right.
    offered: bool,
}

impl NamedMembers {
    pub(super) fn of(failure: &Failure) -> Self {
        // `insufficient_scope` is about the token of the request (RFC 6750 §3.1), not about the member.
        let error =
            failure.error.as_deref().filter(|error| *error != "insufficient_scope").unwrap_or_default();
        let text = format!("{error}\n{}", failure.error_description.as_deref().unwrap_or_default());
        let mut words = split(&text);
        mark_offers(&mut words);
        Self { text, words }
    }

    /// The members that the words name as wrong, in the order of the alphabet.
    pub(super) fn members(&self) -> Vec<&'static str> {
        let named = |with_offers: bool| -> Vec<&'static str> {
            NAMES
                .iter()
                .filter(|(_, spellings)| spellings.iter().any(|spelling| self.names(spelling, with_offers)))
                .map(|(name, _)| *name)
                .collect()
        };
        let wrong = named(false);
        let wrong = if wrong.is_empty() { named(true) } else { wrong };
        if wrong.is_empty() && self.has(&["name"]) && self.has(&CHARACTER_WORDS) {
            return vec!["client_name"];
        }
        wrong
    }

    /// Whether the words say that a member is not known there.
    pub(super) fn says_unknown_member(&self) -> bool {
        const UNKNOWN: [&str; 9] = [
            "unrecognized",
            "unrecognised",
            "unknown",
            "unexpected",
            "additional",
            "extra",
            "disallowed",
            "undefined",
            "unsupported",
        ];
        const MEMBERS: [&str; 16] = [
            "key",
            "keys",
            "field",
            "fields",
            "member",
            "members",
            "property",
            "properties",
            "parameter",
            "parameters",
            "attribute",
            "attributes",
            "argument",
            "arguments",
            "input",
            "inputs",
        ];
        let near = |index: usize, wanted: &[&str]| {
            self.words[index + 1..].iter().take(2).any(|word| wanted.contains(&word.text.as_str()))
        };
        self.words.iter().enumerate().any(|(index, word)| {
            UNKNOWN.contains(&word.text.as_str()) && near(index, &MEMBERS)
                || word.text == "should" && self.words_at(index, &["should", "not", "exist"])
                || word.text == "not" && near(index, &["known"]) && self.has(&MEMBERS)
        })
    }

    /// Whether they hold one of these words.
    pub(super) fn has(&self, wanted: &[&str]) -> bool {
        self.words.iter().any(|word| wanted.contains(&word.text.as_str()))
    }

    /// Whether they name the auth method `method`; "none of …" names no method.
    pub(super) fn names_method(&self, method: &str) -> bool {
        if method == "none" {
            return self.words.iter().enumerate().any(|(index, word)| {
                word.text == "none" && self.words.get(index + 1).is_none_or(|next| next.text != "of")
            }) || (0..self.words.len()).any(|index| self.wants("public", "confidential", index));
        }
        self.names(&method.replace('_', " "), true)
            || (0..self.words.len()).any(|index| self.wants("confidential", "public", index))
    }

    /// Whether at `index` they ask for clients of one kind: "only public clients", "confidential clients are not allowed".
    fn wants(&self, kind: &str, other: &str, index: usize) -> bool {
        let negated = |from: usize| {
            self.words[from..].iter().take(6).take_while(|word| !word.first).any(|word| word.text == "not")
        };
        let is = |word: &str| self.words[index].text == word;
        let client = self.words.get(index + 1).is_some_and(|next| next.text.starts_with("client"));
        client && (is(kind) && !negated(index + 1) || is(other) && negated(index + 1))
    }

    /// The alphabet that they ask a name to be written in.
    pub(super) fn alphabet(&self) -> Alphabet {
        let too_long = self.has(&["long", "length"]);
        let max = self.max_length().or_else(|| too_long.then_some(SHORT_NAME));
        if let Some(class) =
            self.text.find("[a-z").or_else(|| self.text.find("[A-Z")).or_else(|| self.text.find("[0-9"))
        {
            let class = self.text[class + 1..].split(']').next().unwrap_or_default();
            let separator = if class.contains(' ') || class.contains("\\s") {
                Some(' ')
            } else if class.ends_with('-') || class.contains("\\-") || class.starts_with('-') {
                Some('-')
            } else {
                class.contains('_').then_some('_')
            };
            return Alphabet { separator, lower_case: class.contains("a-z") && !class.contains("A-Z"), max };
        }
        let lower = self.text.to_ascii_lowercase();
        let without_spaces = lower.contains("no space") || lower.contains("without space");
        let spaces = self.has(&["space", "spaces", "whitespace"]) && !without_spaces;
        let lists = self.has(&["alphanumeric", "alphanumerics", "letters"]) || without_spaces;
        let separator = if spaces || !lists {
            Some(' ')
        } else if self.has(&["hyphen", "hyphens", "dash", "dashes"]) {
            Some('-')
        } else {
            self.has(&["underscore", "underscores"]).then_some('_')
        };
        Alphabet { separator, lower_case: self.has(&["lowercase"]), max }
    }

    /// The most characters that they allow: "at most 16 characters", "max length 32", "must be shorter than 33",
    /// "between 3 and 20 characters", `{1,32}`.
    fn max_length(&self) -> Option<usize> {
        let number = |index: usize| {
            self.words.get(index)?.text.parse::<usize>().ok().filter(|n| (1..=1000).contains(n))
        };
        let word = |index: usize| self.words.get(index).map_or("", |word| word.text.as_str());
        for index in 0..self.words.len() {
            let Some(found) = number(index) else { continue };
            let back = |steps: usize| index.checked_sub(steps).map_or("", |index| word(index));
            let before = [back(1), back(2), back(3)];
            if before.iter().any(|word| ["least", "minimum", "min"].contains(word)) {
                continue;
            }
            if before.contains(&"than") {
                let smaller =
                    [back(2), back(3)].iter().any(|word| ["shorter", "less", "fewer"].contains(word));
                return Some(if smaller { found - 1 } else { found }).filter(|n| *n > 0);
            }
            let limited = before.iter().any(|word| {
                ["most", "max", "maximum", "limit", "exceed", "exceeds", "exceeding", "length"].contains(word)
            }) || before[0] == "to" && back(2) == "up";
            let counted = word(index + 1).starts_with("char") || word(index + 1) == "letters";
            let or_less = word(index + 1) == "or" && ["less", "fewer", "shorter"].contains(&word(index + 2));
            if limited || counted || or_less {
                return Some(found);
            }
        }
        // A pattern: `^[A-Za-z0-9 -]{1,32}$`.
        let (_, rest) = self.text.split_once('{')?;
        let (range, _) = rest.split_once('}')?;
        range.rsplit(',').next()?.trim().parse().ok().filter(|n| (1..=1000).contains(n))
    }

    fn names(&self, spelling: &str, with_offers: bool) -> bool {
        let wanted: Vec<&str> = spelling.split(' ').collect();
        (0..self.words.len())
            .any(|index| (with_offers || !self.words[index].offered) && self.words_at(index, &wanted))
    }

    fn words_at(&self, index: usize, wanted: &[&str]) -> bool {
        wanted
            .iter()
            .enumerate()
            .all(|(step, wanted)| self.words.get(index + step).is_some_and(|word| word.text == *wanted))
    }
}

/// Words that speak of what a name may consist of.
const CHARACTER_WORDS: [&str; 9] = [
    "characters",
    "chars",
    "character",
    "alphanumeric",
    "alphanumerics",
    "letters",
    "ascii",
    "length",
    "long",
];

/// Words of letters and digits in lower case; `clientName` is two.
fn split(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut previous = ' ';
    let mut first = true;
    for (index, character) in text.char_indices() {
        let begins = !previous.is_alphanumeric() || previous.is_lowercase() && character.is_uppercase();
        if character.is_alphanumeric() {
            if begins {
                words.push(Word { text: String::new(), first, offered: false });
                first = false;
            }
            if let Some(word) = words.last_mut() {
                word.text.extend(character.to_lowercase());
            }
        } else {
            let ends = text[index..].starts_with(". ") || matches!(character, ';' | '\n' | '!');
            first |= ends;
        }
        previous = character;
    }
    words
}

/// Marks the parts of sentences that list what would be right: "…, expected one of `a`, `b`", "allowed: a, b",
/// "only a and b are allowed".
fn mark_offers(words: &mut [Word]) {
    let mut start = 0;
    let mut offering = false;
    for index in 0..words.len() {
        if words[index].first {
            (start, offering) = (index, false);
        }
        if RECEIVED.contains(&words[index].text.as_str()) {
            offering = false;
        }
        words[index].offered = offering;
        let from = index.saturating_sub(3).max(start);
        let negated = words[from..index].iter().any(|word| NEGATIONS.contains(&word.text.as_str()));
        if OFFERS.contains(&words[index].text.as_str()) && !negated {
            offering = true;
            let only = (start..index).rev().find(|at| words[*at].text == "only");
            for at in only.into_iter().flat_map(|only| only..index) {
                words[at].offered = true;
            }
        }
    }
}
