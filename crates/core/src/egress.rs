//! Which addresses may be reached. (Temporary shape by the lead; the author replaces it.)
#![allow(missing_docs)]
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct EgressPolicy {}
pub struct UrlProblem;
impl UrlProblem { pub fn code(&self) -> &'static str { "invalid_url" } }
impl std::fmt::Display for UrlProblem { fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { Ok(()) } }
impl EgressPolicy { pub fn judge_text(&self, url: &str) -> Result<url::Url, UrlProblem> { url::Url::parse(url).map_err(|_| UrlProblem) } }
