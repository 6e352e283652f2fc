//! Failures of requests without a response.

use crate::answered::UpstreamResponse;
use crate::resolve::NameProblem;
use registry_core::oauth::{Failure, FailureClass};
use registry_core::url_text::host_of;
use std::error::Error;
use std::io;

/// Why there is no response.
#[derive(Clone, Debug)]
pub(crate) struct TransportError {
    /// What kind, and a sentence for users.
    pub(crate) failure: Failure,
    /// Whether the request may have reached the upstream, so that it may have acted on it.
    ///
    /// How this is detected: the body is a stream, and the connection reads that stream
    /// only when it is established and the request's head is being written. Until then no server can have received a complete
    /// request, whatever failed: name, address, TCP, TLS or timeout. From then on a server may have received it.
    pub(crate) maybe_sent: bool,
    /// The response whose body could not be read to its end, with the beginning of the body.
    pub(crate) begun: Option<Box<UpstreamResponse>>,
}

impl TransportError {
    pub(crate) fn not_sent(class: FailureClass, code: &'static str, message: impl Into<String>) -> Self {
        Self { failure: Failure::new(class, code, message), maybe_sent: false, begun: None }
    }
}

/// Maps an error of the HTTP client.
pub(crate) fn transport_error(error: reqwest::Error, url: &str, sent: bool) -> TransportError {
    let host = host_of(url);
    let problem = causes(&error).find_map(|cause| cause.downcast_ref::<NameProblem>()).cloned();
    // Without a connection nothing was sent.
    let maybe_sent = sent && problem.is_none() && !error.is_connect();
    let failure = match problem {
        Some(NameProblem::Blocked(problem)) => {
            let message = format!("The name {host} may not be reached: {problem}.");
            Failure::new(FailureClass::Security, "address_blocked", message)
        }
        Some(NameProblem::NotFound) => Failure::new(
            FailureClass::Transient,
            "name_not_found",
            format!("The name {host} cannot be resolved."),
        ),
        None if !error.is_connect() && is_malformed(&error) => not_http(&host),
        None => {
            let (code, what) = if error.is_timeout() {
                ("timeout", "did not answer in time")
            } else if let Some(what) = certificate_problem(&error) {
                ("certificate_not_trusted", what)
            } else if error.is_connect() {
                ("connection_failed", "cannot be connected to")
            } else {
                ("connection_lost", "closed the connection without a response")
            };
            Failure::new(FailureClass::Transient, code, format!("{host} {what}."))
        }
    };
    tracing::debug!(code = failure.code, error = ?error.without_url(), "exchange failed");
    TransportError { failure, maybe_sent, begun: None }
}

/// The failure of a response that is not valid HTTP.
pub(crate) fn not_http(host: &str) -> Failure {
    let message = format!("{host} answered with something that is not HTTP, or with too many headers.");
    Failure::new(FailureClass::Protocol, "answer_not_http", message)
}

/// Whether the response was malformed rather than incomplete.
pub(crate) fn is_malformed(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        let parsed = cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse);
        parsed
            || cause.downcast_ref::<io::Error>().is_some_and(|error| {
                matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
            })
    })
}

/// The problem with the certificate, if that is the cause.
fn certificate_problem(error: &(dyn Error + 'static)) -> Option<&'static str> {
    use rustls::CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
    };
    causes(error).find_map(|cause| match cause.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            Some("shows a certificate for another name")
        }
        rustls::Error::InvalidCertificate(
            Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. },
        ) => Some("shows a certificate that is not valid at this time"),
        rustls::Error::InvalidCertificate(_) => Some(
            "shows a certificate that is not trusted (the operator can trust its authority with `egress.ca_file`)",
        ),
        _ => None,
    })
}

/// `error` and its causes. An [`io::Error`] hides the error it was made of from [`Error::source`].
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error: &&'a (dyn Error + 'static)| {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        }
    })
}
