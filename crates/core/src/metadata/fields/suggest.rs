//! Suggests known names for unknown ones.

use strsim::damerau_levenshtein;

/// Longer names are not compared: such misspellings do not occur, and comparing costs.
const MAX_COMPARED: usize = 64;

/// The most likely intended candidate for `name`: equal except for case, `-` and `_`, a few swapped letters, or a
/// missing first or last word (`name` for `client_name`).
pub(crate) fn nearest(name: &str, candidates: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    if name.is_empty() || name.len() > MAX_COMPARED {
        return None;
    }
    let wanted = simplified(name);
    let length = wanted.chars().count();
    let mut best: Option<(usize, &'static str)> = None;
    for candidate in candidates {
        let is_part = name.len() > 3
            && (candidate.strip_prefix(name).is_some_and(|rest| rest.starts_with('_'))
                || candidate.strip_suffix(name).is_some_and(|rest| rest.ends_with('_')));
        // Each letter more or less is a step of the distance: what differs too much in length is not compared.
        let letters = candidate.bytes().filter(|byte| !matches!(byte, b'_' | b'-' | b' ')).count();
        let allowed = (length.min(letters) / 4).max(1);
        if !is_part && length.abs_diff(letters) > allowed {
            continue;
        }
        let mut distance = damerau_levenshtein(&wanted, &simplified(candidate));
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
pub(crate) fn looks_secret(name: &str) -> bool {
    // Names of members are bounded; the elements of lists have none.
    if name.is_empty() {
        return false;
    }
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
