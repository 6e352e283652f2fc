//! The filters of the list, all of them in the URL.

use crate::view::Place;
use registry::{IntegrationFilter, IntegrationSort};
use registry_core::registration::AuthType;
use registry_core::slug::Reference;
use serde::Deserialize;

/// The page sizes to choose from.
pub(super) const PAGE_SIZES: [u64; 3] = [25, 50, 100];
/// The sort orders, by their words in the URL.
const SORTS: [(&str, IntegrationSort, &str); 6] = [
    ("changed", IntegrationSort::ChangedDescending, "Recently changed"),
    ("-changed", IntegrationSort::Changed, "Longest unchanged"),
    ("name", IntegrationSort::Name, "Name A–Z"),
    ("-name", IntegrationSort::NameDescending, "Name Z–A"),
    ("failures", IntegrationSort::FailuresDescending, "Most failures"),
    ("-failures", IntegrationSort::Failures, "Fewest failures"),
];

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Query {
    pub(super) q: String,
    pub(super) view: String,
    pub(super) auth: String,
    pub(super) ws: String,
    pub(super) sort: String,
    pub(super) size: u64,
    pub(super) page: u64,
    /// Where the page begins.
    pub(super) at: String,
}

impl Query {
    pub(super) fn filter(&self) -> IntegrationFilter {
        IntegrationFilter {
            search: Some(self.q.trim().to_owned()).filter(|text| !text.is_empty()),
            workspace: (!self.ws.is_empty()).then(|| Reference::parse(&self.ws)),
            auth_type: AuthType::parse(&self.auth),
            attention: self.view == "attention",
            custom_metadata: self.view == "custom",
            pre_registered: self.view == "by-hand",
            enabled: (self.view == "disabled").then_some(false),
            sort: self.order().1,
            ..IntegrationFilter::default()
        }
    }

    /// The sort order; an unknown word means the default.
    fn order(&self) -> (&'static str, IntegrationSort, &'static str) {
        SORTS.into_iter().find(|(word, ..)| *word == self.sort).unwrap_or(SORTS[0])
    }

    pub(super) fn sort(&self) -> &'static str {
        self.order().0
    }

    /// Words and labels of the sort orders.
    #[expect(clippy::unused_self, reason = "called from the template")]
    pub(super) fn sorts(&self) -> Vec<(&'static str, &'static str)> {
        SORTS.iter().map(|(word, _, name)| (*word, *name)).collect()
    }

    pub(super) fn size(&self) -> u64 {
        if PAGE_SIZES.contains(&self.size) { self.size } else { PAGE_SIZES[0] }
    }

    /// Whether a filter is set.
    pub(super) fn is_filtered(&self) -> bool {
        ![&self.q, &self.view, &self.auth, &self.ws].iter().all(|text| text.is_empty())
    }

    /// All parameters that differ from the default, by name.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let size = if self.size() == PAGE_SIZES[0] { String::new() } else { self.size().to_string() };
        let sort = if self.sort() == SORTS[0].0 { String::new() } else { self.sort().to_owned() };
        [
            ("q", self.q.clone()),
            ("view", self.view.clone()),
            ("auth", self.auth.clone()),
            ("ws", self.ws.clone()),
            ("sort", sort),
            ("size", size),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
    }

    fn address(&self) -> String {
        let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(self.fields()).finish();
        if text.is_empty() { "/ui/integrations".to_owned() } else { format!("/ui/integrations?{text}") }
    }

    pub(super) fn place(&self) -> Place {
        Place { page: self.page, at: self.at.clone() }
    }

    pub(super) fn with_place(&self, place: &Place) -> String {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        let place = pairs.extend_pairs(place.fields()).finish();
        let address = self.address();
        let separator = if address.contains('?') { '&' } else { '?' };
        if place.is_empty() { address } else { format!("{address}{separator}{place}") }
    }

    /// The URL of the list.
    pub(super) fn here(&self) -> String {
        self.with_place(&self.place())
    }

    /// The query in a URL of the list; the default for any other URL.
    pub(super) fn of_address(address: &str) -> Self {
        let asked = address.strip_prefix("/ui/integrations?").map(actix_web::web::Query::from_query);
        asked.and_then(Result::ok).map(actix_web::web::Query::into_inner).unwrap_or_default()
    }

    /// The URL of the list, with the key of a message.
    pub(super) fn after(&self, done: &str) -> String {
        let address = self.here();
        let separator = if address.contains('?') { '&' } else { '?' };
        format!("{address}{separator}done={done}")
    }

    /// The URL of the list without one of its filters.
    pub(super) fn without(&self, name: &str) -> String {
        let mut other = self.clone();
        match name {
            "q" => other.q.clear(),
            "auth" => other.auth.clear(),
            "ws" => other.ws.clear(),
            _ => other.view.clear(),
        }
        other.address()
    }

    /// The URL of the list sorted by a column; reversed when it is sorted by it already.
    pub(super) fn by(&self, column: &str) -> String {
        let sort = if self.sort() == column { format!("-{column}") } else { column.to_owned() };
        Self { sort, ..self.clone() }.address()
    }

    /// The `aria-sort` of a column. The word without a sign is the default direction.
    pub(super) fn sorted(&self, column: &str) -> &'static str {
        match self.sort() {
            "name" if column == "name" => "ascending",
            "-name" if column == "name" => "descending",
            sort if sort == column => "descending",
            sort if sort.strip_prefix('-') == Some(column) => "ascending",
            _ => "none",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_urls_contain_only_non_default_parameters() {
        let query = Query { q: "a b".into(), view: "custom".into(), sort: "name".into(), ..Query::default() };
        let at = |page| Place { page, ..Place::default() };
        assert_eq!(query.with_place(&at(2)), "/ui/integrations?q=a+b&view=custom&sort=name&page=2");
        assert_eq!(query.without("view"), "/ui/integrations?q=a+b&sort=name");
        assert_eq!(Query::default().with_place(&at(0)), "/ui/integrations");
        assert_eq!(
            Query { size: 7, sort: "x".into(), ..Query::default() }.with_place(&at(1)),
            "/ui/integrations?page=1"
        );
    }

    #[test]
    fn list_url_survives_an_action() {
        let left = "/ui/integrations?q=a+b&sort=name&page=2";
        assert_eq!(Query::of_address(left).after("nothing"), format!("{left}&done=nothing"));
        for other in ["", "/ui/integrations", "https://evil.example/ui/integrations?q=a", "//evil.example"] {
            assert_eq!(Query::of_address(other).after("nothing"), "/ui/integrations?done=nothing");
        }
    }

    #[test]
    fn sorted_column_is_reversed() {
        let by = |sort: &str| Query { sort: sort.into(), ..Query::default() };
        assert_eq!((by("name").sorted("name"), by("-name").sorted("name")), ("ascending", "descending"));
        assert_eq!((by("").sorted("changed"), by("-changed").sorted("changed")), ("descending", "ascending"));
        assert_eq!(by("name").sorted("changed"), "none");
        assert_eq!(by("name").by("name"), "/ui/integrations?sort=-name");
        assert_eq!(by("name").by("changed"), "/ui/integrations");
    }
}
