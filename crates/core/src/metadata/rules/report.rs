//! How members are called in sentences.

pub(crate) use crate::finding::{Report, echo};

/// Maximum length of a label in bytes: of deeply nested members only the innermost names are kept.
const MAX_LABEL: usize = 240;

/// Display name of the member at `pointer`: `scope`, `contacts[1]`, `jwt_validation.jwksUri`.
pub(crate) fn label(pointer: &str) -> String {
    let mut label = String::new();
    for (index, token) in pointer.split('/').skip(1).enumerate() {
        let is_wrapper = index == 0
            && (token == crate::metadata::fields::names::CANONICAL_WRAPPER
                || token == crate::metadata::fields::names::ALIAS_WRAPPER);
        if is_wrapper && pointer[1..].contains('/') {
            continue;
        }
        let token = token.replace("~1", "/").replace("~0", "~");
        if !label.is_empty() && !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit()) {
            label.push('[');
            label.push_str(&echo(&token));
            label.push(']');
            continue;
        }
        if !label.is_empty() {
            label.push('.');
        }
        label.push_str(&echo(&token));
    }
    if label.len() <= MAX_LABEL {
        return label;
    }
    let start = label.len() - MAX_LABEL;
    let start = (start..label.len()).find(|start| label.is_char_boundary(*start)).unwrap_or_default();
    format!("…{}", &label[start..])
}
