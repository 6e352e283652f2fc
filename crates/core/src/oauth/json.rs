//! JSON from an untrusted source: an object with limited depth and without duplicate members.

use super::clean::clean;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// The deepest nesting that is read (INV-9).
const MAX_DEPTH: usize = 32;

/// A member's name without case, underscores and hyphens: some servers write `clientId` or `Client-Id`.
pub(super) fn bare_name(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '-'], "")
}

/// Reads a JSON object, strictly: two parsers that disagree about a member that is there twice are a way past a check,
/// so such a document says nothing (INV-9). A byte order mark before it is tolerated (RFC 8259 §8.1).
pub fn read_object(body: &[u8]) -> Option<Map<String, Value>> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match read_value(std::str::from_utf8(body).ok()?).ok()? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// Reads any JSON value as strictly as [`read_object`].
pub(super) fn read_value(text: &str) -> Result<Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: 0 }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn below<E: Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom("nested too deeply"));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(below)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut object = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            let value = access.next_value_seed(below)?;
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!("`{}` is there twice", clean(&name, 60))));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_valid_objects_are_parsed() {
        let whole = br#"{"a":[1,-2,1.5,"x",null,true,{"b":{}}],"c":"d"}"#;
        assert_eq!(
            read_object(whole).map(Value::Object),
            Some(json!({ "a": [1, -2, 1.5, "x", null, true, { "b": {} }], "c": "d" }))
        );
        assert!(read_object(b"\xef\xbb\xbf{}").is_some());
        let deep = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(read_object(deep(31).as_bytes()).is_some());
        assert!(read_object(deep(32).as_bytes()).is_none());
        assert!(read_object(deep(100_000).as_bytes()).is_none());
        for bad in [
            "",
            "[]",
            "1",
            "<html>",
            "{",
            "{} {}",
            r#"{"a":1,"a":2}"#,
            r#"{"a":[{"b":1,"b":2}]}"#,
            "{\"a\":\"\u{1}\"}",
        ] {
            assert_eq!(read_object(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn hostile_json_never_panics(body: Vec<u8>) {
            let _ = read_object(&body);
        }
    }
}
