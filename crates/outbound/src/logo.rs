//! A client's logo, fetched as a browser would, to be shown from our own origin.

use crate::answer::Wanted;
use crate::guard::{Asked, Guarded};
use registry_core::logo::{LogoAnswer, LogoProblem, MOST_LOGO, Picture, judge_logo};
use registry_core::oauth::Failure;
use reqwest::Method;

/// Why there is no picture.
#[derive(Debug)]
pub enum Unpictured {
    /// What was answered is none.
    Answered(LogoProblem),
    /// Nothing was answered that can be judged.
    Unanswered(Failure),
}

/// Fetches the logo at `url`: one GET that carries nothing, at most [`MOST_LOGO`] bytes. A redirect is an answer: an
/// authorization server or browser may not follow it, so a person is told where it leads.
pub async fn fetch_logo(guarded: &Guarded, url: &str) -> Result<(Picture, Vec<u8>), Unpictured> {
    let asked = Asked {
        method: Method::GET,
        url,
        accept: "image/png, image/jpeg, image/gif, image/webp, image/svg+xml",
        bearer: None,
        json: None,
        headers: &[],
        wanted: Wanted::Whole(MOST_LOGO),
        follow: false,
    };
    let answer = guarded.send(&asked).await.map_err(|trouble| match trouble.failure.code {
        "answer_too_large" => Unpictured::Answered(LogoProblem::too_large()),
        _ => Unpictured::Unanswered(trouble.failure),
    })?;
    let judged = judge_logo(&LogoAnswer {
        url,
        status: answer.status,
        content_type: answer.content_type.as_deref(),
        location: answer.location.as_deref(),
        body: &answer.body,
    });
    judged.map(|picture| (picture, answer.body)).map_err(Unpictured::Answered)
}
