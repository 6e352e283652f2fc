//! Query parameters: known ones are judged one by one, unknown ones are ignored, as the hosted product does.

use crate::failure::Failure;
use registry::PageRequest;
use registry_core::slug::Reference;
use serde::de::DeserializeOwned;

/// The parameters of `text`. All members of `T` must be optional.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Failure> {
    use actix_web::web::Query;
    if let Ok(query) = Query::<T>::from_query(text) {
        return Ok(query.into_inner());
    }
    let guilty = text.split('&').find(|pair| Query::<T>::from_query(pair).is_err());
    Err(match guilty.and_then(|pair| pair.split('=').next()) {
        Some(name) => {
            Failure::parameter(name, "has a value that is not accepted. The API reference lists what is.")
        }
        // Each alone is good, so one stands there twice.
        None => Failure::request(
            &crate::problem::INVALID_PARAMETER,
            "A query parameter stands there twice. Send each once.",
        ),
    })
}

/// The part of a list that `current_page` and `page_size` ask for.
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

/// The revision that the parameter `name` names.
pub(crate) fn revision(name: &str, revision: Option<i64>) -> Result<Option<i64>, Failure> {
    if revision.is_some_and(|revision| revision < 0) {
        return Err(Failure::parameter(name, "takes a revision, 0 or more."));
    }
    Ok(revision)
}

/// A text, unless it is empty.
pub(crate) fn filled(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// An id or a slug, unless it is empty.
pub(crate) fn reference(text: Option<String>) -> Option<Reference> {
    filled(text).map(|text| Reference::parse(&text))
}

/// The words of a comma-separated list.
pub(crate) fn words(text: Option<String>) -> Vec<String> {
    let text = text.unwrap_or_default();
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Example {
        page_size: Option<u64>,
        search: Option<String>,
    }

    #[test]
    fn the_guilty_parameter_is_named() {
        let good: Example = parse("page_size=5&search=a%20b&organisation_id=x").unwrap();
        assert_eq!((good.page_size, good.search.as_deref()), (Some(5), Some("a b")));
        let bad = parse::<Example>("search=a&page_size=abc").unwrap_err();
        assert!(bad.to_string().contains("`page_size`"), "{bad}");
        let twice = parse::<Example>("search=a&search=b").unwrap_err();
        assert!(twice.to_string().contains("twice"), "{twice}");
    }

    #[test]
    fn pages_have_bounds() {
        assert_eq!(page(None, None).unwrap(), PageRequest::new(0, 100));
        assert_eq!(page(Some(2), Some(1000)).unwrap(), PageRequest::new(2, 1000));
        assert!(page(None, Some(0)).is_err() && page(None, Some(1001)).is_err());
    }
}
