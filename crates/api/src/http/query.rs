//! Query parameters: known ones are validated individually, unknown ones are ignored, as the hosted product does.

use crate::http::failure::Failure;
use crate::http::per_type::PerType;
use actix_web::web::Query;
use registry::PageRequest;
use registry_core::finding::echo;
use registry_core::slug::Reference;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use utoipa::IntoParams;

/// Maximum length, in characters, of a parameter without a length in its schema. The OpenAPI document contains it.
const MAX_VALUE: usize = 2048;

/// The limit of a parameter, from its schema.
enum Limit {
    /// Maximum number of characters.
    Characters(usize),
    /// Maximum number of comma-separated values.
    Values(usize),
}

static LIMITS: PerType<HashMap<String, Limit>> = PerType::new();

fn limits<T: IntoParams + 'static>() -> &'static HashMap<String, Limit> {
    LIMITS.get::<T>(|| {
        let parameters = T::into_params(|| None).into_iter();
        parameters
            .map(|parameter| {
                let schema = serde_json::to_value(&parameter.schema).unwrap_or_default();
                let number =
                    |name: &str| schema[name].as_u64().and_then(|number| usize::try_from(number).ok());
                let limit = match number("maxItems") {
                    Some(most) => Limit::Values(most),
                    None => Limit::Characters(number("maxLength").unwrap_or(MAX_VALUE)),
                };
                (parameter.name, limit)
            })
            .collect()
    })
}

/// Parses the parameters of `text`. All members of `T` must be optional.
pub(crate) fn parse<T: DeserializeOwned + IntoParams + 'static>(text: &str) -> Result<T, Failure> {
    let pairs = Query::<Vec<(String, String)>>::from_query(text).map(Query::into_inner).unwrap_or_default();
    let limits = limits::<T>();
    for (name, value) in &pairs {
        match limits.get(name) {
            Some(Limit::Characters(most)) if value.len() > *most && value.chars().count() > *most => {
                return Err(Failure::parameter(name, &format!("takes at most {most} characters.")));
            }
            Some(Limit::Values(most)) if value.split(',').count() > *most => {
                let sentence = format!("takes at most {most} values, separated by commas.");
                return Err(Failure::parameter(name, &sentence));
            }
            _ => {}
        }
    }
    if let Ok(query) = Query::<T>::from_query(text) {
        return Ok(query.into_inner());
    }
    let guilty = text.split('&').find(|pair| Query::<T>::from_query(pair).is_err());
    if let Some(name) = guilty.and_then(|pair| pair.split('=').next()) {
        let sentence = "has a value that is not accepted. The API reference lists what is.";
        return Err(Failure::parameter(&echo(name), sentence));
    }
    // Each parameter alone is valid, so one of them is a duplicate.
    let mut seen = HashSet::new();
    let twice = pairs.iter().find(|(name, _)| limits.contains_key(name) && !seen.insert(name));
    Err(match twice {
        Some((name, _)) => Failure::parameter(name, "is a duplicate. Send it once."),
        None => Failure::request(
            &crate::http::problem_kinds::INVALID_PARAMETER,
            "The query cannot be read. The API reference lists its parameters.",
        ),
    })
}

/// Adds the maximum length to the schema of a parameter that has none.
pub(crate) fn document_limit(schema: &mut Value) {
    let is_text = schema["type"] == "string" || schema["type"][0] == "string";
    if is_text && schema["enum"].is_null() && schema["format"].is_null() && schema["maxLength"].is_null() {
        schema["maxLength"] = MAX_VALUE.into();
    }
}

/// The page that `current_page` and `page_size` select.
pub(crate) fn page(current_page: Option<u64>, page_size: Option<u64>) -> Result<PageRequest, Failure> {
    let page = current_page.unwrap_or(0);
    let size = page_size.unwrap_or(100);
    if page > 1_000_000 {
        return Err(Failure::parameter(
            "current_page",
            "must be between 0 and 1000000; the first page is 0.",
        ));
    }
    if !(1..=1000).contains(&size) {
        return Err(Failure::parameter("page_size", "must be between 1 and 1000."));
    }
    Ok(PageRequest::new(page, size))
}

/// The page that `cursor` selects, or else `current_page`, with `page_size` items.
pub(crate) fn page_at(
    cursor: Option<String>,
    current_page: Option<u64>,
    page_size: Option<u64>,
) -> Result<PageRequest, Failure> {
    let page = page(current_page, page_size)?;
    let Some(text) = filled(cursor) else { return Ok(page) };
    let cursor = text.parse().map_err(|_| {
        Failure::parameter("cursor", "takes the `next_cursor` of a response to the same request.")
    })?;
    Ok(page.at(Some(cursor)))
}

/// The revision in the parameter `name`.
pub(crate) fn revision(name: &str, revision: Option<i64>) -> Result<Option<i64>, Failure> {
    if revision.is_some_and(|revision| revision < 0) {
        return Err(Failure::parameter(name, "takes a revision, 0 or more."));
    }
    Ok(revision)
}

/// The text, unless it is empty.
pub(crate) fn filled(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The id or slug, unless it is empty.
pub(crate) fn reference(text: Option<String>) -> Option<Reference> {
    filled(text).map(|text| Reference::parse(&text))
}

/// The items of a comma-separated list.
pub(crate) fn words(text: Option<String>) -> Vec<String> {
    let text = text.unwrap_or_default();
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize, IntoParams)]
    #[into_params(parameter_in = Query)]
    struct Example {
        page_size: Option<u64>,
        #[param(max_length = 300)]
        search: Option<String>,
        #[param(value_type = Option<Vec<String>>, style = Form, explode = false, max_items = 3)]
        id: Option<String>,
        other: Option<String>,
    }

    #[test]
    fn wrong_parameter_is_named() {
        let good: Example = parse("page_size=5&search=a%20b&organisation_id=x").unwrap();
        assert_eq!((good.page_size, good.search.as_deref()), (Some(5), Some("a b")));
        let bad = parse::<Example>("search=a&page_size=abc").unwrap_err();
        assert!(bad.to_string().contains("`page_size`"), "{bad}");
        let twice = parse::<Example>("search=a&search=b").unwrap_err();
        assert!(twice.to_string().contains("`search` is a duplicate"), "{twice}");
    }

    #[test]
    fn parameter_limit_equals_its_schema() {
        let long = "x".repeat(301);
        for (name, value, limit) in
            [("search", long.as_str(), "300"), ("id", "a,b,c,d", "3"), ("other", &"x".repeat(2049), "2048")]
        {
            let refused = parse::<Example>(&format!("{name}={value}")).unwrap_err().to_string();
            assert!(refused.contains(&format!("`{name}`")) && refused.contains(limit), "{refused}");
        }
        let good: Example = parse("id=a,b,c&other=1&unknown=1").unwrap();
        assert_eq!((words(good.id).len(), good.other.as_deref()), (3, Some("1")));
    }

    #[test]
    fn page_numbers_and_sizes_are_bounded() {
        assert_eq!(page(None, None).unwrap(), PageRequest::new(0, 100));
        assert_eq!(page(Some(2), Some(1000)).unwrap(), PageRequest::new(2, 1000));
        assert!(page(None, Some(0)).is_err() && page(None, Some(1001)).is_err());
    }
}
