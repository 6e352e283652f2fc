//! URLs as they appear in sentences and records: without what may be secret.

use url::Url;

/// The host of `url`, for a sentence.
pub fn host_of(url: &str) -> String {
    Url::parse(url)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_else(|| "The upstream".to_owned())
}

/// A URL fit to be shown: without user, password, query and fragment.
pub fn shown(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut url) => {
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_query(None);
            url.set_fragment(None);
            url.to_string().chars().filter(|c| !c.is_control()).take(300).collect()
        }
        Err(_) => "(not a URL)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_shown_without_what_may_be_secret() {
        assert_eq!(shown("https://u:p@h.example/x?token=t#f"), "https://h.example/x");
        assert_eq!(shown("not a URL"), "(not a URL)");
        assert_eq!(shown(&format!("https://h.example/{}", "x".repeat(999))).len(), 300);
    }
}
