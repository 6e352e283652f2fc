//! Pages of these lists: their parameters have two spellings.

use crate::http::failure::Failure;
use crate::http::query;
use registry::PageRequest;
use serde::Deserialize;
use utoipa::IntoParams;

/// The page of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HostedPage {
    /// Items per page; 100 when absent.
    #[param(minimum = 1, maximum = 1000, example = 100)]
    page_size: Option<u64>,
    /// Page number, from 0.
    #[param(minimum = 0, example = 0)]
    current_page: Option<u64>,
    /// Another spelling of `page_size`.
    #[serde(rename = "pageSize")]
    #[param(minimum = 1, maximum = 1000, example = 100)]
    page_size_in_camel_case: Option<u64>,
    /// Another spelling of `current_page`.
    #[serde(rename = "currentPage")]
    #[param(minimum = 0, example = 0)]
    current_page_in_camel_case: Option<u64>,
}

impl HostedPage {
    pub(super) fn page(&self) -> Result<PageRequest, Failure> {
        query::page(
            self.current_page.or(self.current_page_in_camel_case),
            self.page_size.or(self.page_size_in_camel_case),
        )
    }
}
