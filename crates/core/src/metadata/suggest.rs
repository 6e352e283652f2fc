//! What was probably meant by a name nobody knows.

use strsim::damerau_levenshtein;

/// Longer names are not compared: nobody misspells that much, and comparing costs.
const MAX_COMPARED: usize = 64;

/// The candidate a person probably meant by `name`: the same but for case, `-` and `_`, a few swapped letters, or a
/// missing first or last word (`name` for `client_name`).
pub(super) fn nearest(name: &str, candidates: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    if name.is_empty() || name.len() > MAX_COMPARED {
        return None;
    }
    let wanted = simplified(name);
    let mut best: Option<(usize, &'static str)> = None;
    for candidate in candidates {
        let simple = simplified(candidate);
        let allowed = (wanted.chars().count().min(simple.chars().count()) / 4).max(1);
        let mut distance = damerau_levenshtein(&wanted, &simple);
        let is_part = name.len() > 3
            && (candidate.strip_prefix(name).is_some_and(|rest| rest.starts_with('_'))
                || candidate.strip_suffix(name).is_some_and(|rest| rest.ends_with('_')));
        if is_part {
            // Worse than any misspelling, better than nothing.
            distance = distance.min(MAX_COMPARED);
        } else if distance > allowed {
            continue;
        }
        if best.is_none_or(|(shortest, _)| distance < shortest) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Whether a member of this name would hold a secret, so that it must not be kept in readable text.
pub(super) fn looks_secret(name: &str) -> bool {
    let simple = simplified(name);
    ["secret", "password", "passwd", "privatekey", "apikey", "accesstoken", "bearertoken", "refreshtoken"]
        .iter()
        .any(|word| simple.contains(word))
}

fn simplified(name: &str) -> String {
    name.chars()
        .filter(|character| !matches!(character, '_' | '-' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}
