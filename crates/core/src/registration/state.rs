//! States and kinds of registrations, clients and integrations.

use crate::words::words;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

words! {
    /// State of the registration. Whether a client is usable now is separate.
    State {
        /// Waits for a worker.
        Queued = "queued",
        /// Discovery or a request is under way.
        Registering = "registering",
        /// A client is recorded for the current metadata.
        Registered = "registered",
        /// The client is valid, but the metadata changed and a user must approve the replacement.
        Outdated = "outdated",
        /// Retried automatically; `not_before` says when.
        Retrying = "retrying",
        /// A request was sent and its answer lost: a client may exist upstream.
        Unconfirmed = "unconfirmed",
        /// Not retried automatically; the reason says what a user can do.
        Failed = "failed",
        /// Being deleted upstream.
        Withdrawing = "withdrawing",
        /// Gone.
        Withdrawn = "withdrawn",
    }
}

words! {
    /// How a client came to be.
    RegistrationMethod {
        /// Entered by a user, after manual registration.
        PreRegistered = "pre_registered",
        /// A Client ID Metadata Document that we publish.
        Cimd = "cimd",
        /// Dynamic client registration, RFC 7591.
        Dcr = "dcr",
    }
}

words! {
    /// What one generation of a client is good for.
    ClientStatus {
        /// The one gateways use.
        Active = "active",
        /// Replaced; still served to gateways that ask for its generation.
        Draining = "draining",
        /// Made by an answer that yields no usable client: never served, deleted upstream as soon as possible.
        Unusable = "unusable",
        /// Deleted upstream, or given up.
        Withdrawn = "withdrawn",
    }
}

words! {
    /// What one attempt tries at an upstream.
    AttemptStep {
        /// Finds the authorization server and reads its metadata.
        Discover = "discover",
        /// Publishes the Client ID Metadata Document and checks that it can be read.
        Publish = "publish",
        /// Registers a new client (RFC 7591).
        Register = "register",
        /// Takes over a pre-registered client.
        Adopt = "adopt",
        /// Updates a client (RFC 7592 §2.2).
        Update = "update",
        /// Reads a client (RFC 7592 §2.1).
        Verify = "verify",
        /// Deletes a client (RFC 7592 §2.3).
        Withdraw = "withdraw",
    }
}

words! {
    /// What came of an attempt.
    AttemptOutcome {
        /// Not recorded yet.
        Pending = "pending",
        /// It worked.
        Succeeded = "succeeded",
        /// It did not work.
        Failed = "failed",
        /// The request was sent, and its answer was lost.
        Lost = "lost",
    }
}

words! {
    /// How a gateway authenticates at an upstream MCP server.
    AuthType {
        /// OAuth with a client obtained by the registry.
        OauthAuto = "oauth_auto",
        /// OAuth with a client registered manually, for the client credentials grant.
        OauthClientCredentials = "oauth_client_credentials",
        /// Fixed headers.
        Headers = "headers",
        /// Nothing.
        None = "none",
    }
}

impl AuthType {
    /// Whether a server of this kind has a registration.
    pub fn needs_client(self) -> bool {
        matches!(self, Self::OauthAuto | Self::OauthClientCredentials)
    }
}

words! {
    /// The MCP transport of an upstream server.
    Transport {
        /// Streamable HTTP.
        Http = "http",
        /// The older HTTP with server-sent events.
        Sse = "sse",
    }
}
