//! Values for users, without secrets ([`shown`]), and for gateways, without nulls ([`without_nulls`]).

use super::field::{Field, Kind};
use super::suggest::looks_secret;
use super::table::find;
use serde_json::{Map, Value};

/// The mask for a secret on every page and in every response.
pub(crate) const SECRET: &str = "secret";

/// `value` of `field` as users may see it: each secret is [`SECRET`]. A member of an object is a secret if the field table says
/// so, or if the table does not have it and its name looks secret. In a secret object, null stays null: it means "not set".
pub(crate) fn shown(field: &Field, value: &Value) -> Value {
    match value {
        Value::Object(map) if field.secret => map
            .iter()
            .map(|(name, value)| {
                let shown = if value.is_null() { Value::Null } else { Value::from(SECRET) };
                (name.clone(), shown)
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Object(object) => match field.kind {
            Kind::Nested(section) => object
                .iter()
                .map(|(name, value)| {
                    let shown = match find(section, name) {
                        Some(field) => shown(field, value),
                        None if looks_secret(name) => Value::from(SECRET),
                        None => value.clone(),
                    };
                    (name.clone(), shown)
                })
                .collect::<Map<_, _>>()
                .into(),
            _ => value.clone(),
        },
        _ if field.secret => Value::from(SECRET),
        _ => value.clone(),
    }
}

/// `value` without the members that are null, at any depth: they mean "not set". A null in a list stays.
pub(crate) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(
            object
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name, without_nulls(value)))
                .collect(),
        ),
        Value::Array(list) => Value::Array(list.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

/// As [`without_nulls`], for a `value` that is an object; anything else becomes the empty object.
pub(crate) fn object_without_nulls(value: Value) -> Map<String, Value> {
    match without_nulls(value) {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
