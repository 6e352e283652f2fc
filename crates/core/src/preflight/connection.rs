//! What an MCP server's response means for a connection test. The test sends the configured headers and no OAuth token.

use crate::registration::AuthType;

/// What is wrong with the response and what to do, in a text for users; `None` if nothing is wrong. `status` is the HTTP
/// status code. `speaks` says whether the content type is one that MCP servers send: JSON or an event stream. The test has
/// no OAuth token, so 401 is the expected response of a server with OAuth.
pub fn connection_problem(auth_type: AuthType, status: u16, speaks: bool) -> Option<String> {
    let oauth = auth_type.needs_client();
    let problem = match status {
        200..=299 if speaks => return None,
        401 if oauth => return None,
        200..=299 => "It answered, but not as an MCP server does. Correct the address.".to_owned(),
        300..=399 => {
            "The server redirects; redirects are not followed. If the address has moved, enter the new one."
                .to_owned()
        }
        401 | 403 if auth_type == AuthType::Headers => {
            format!("It answered {status}: it refuses the configured headers. Enter them again.")
        }
        401 => {
            "It asks for authorization. Choose `oauth_auto` or `headers` as the authentication.".to_owned()
        }
        403 => "The server answered 403: it refuses access from here. Ask the server's owner.".to_owned(),
        404 | 410 => {
            format!("It answered {status}: there is no MCP server at this address. Correct the address.")
        }
        405 => {
            "It answered 405: it does not take this kind of request. Correct the address or the transport."
                .to_owned()
        }
        408 | 425 | 429 | 500..=599 => {
            format!("It answered {status}: it is in trouble or busy. Try again later.")
        }
        _ => format!("It answered {status}, which an MCP server does not. Correct the address."),
    };
    Some(problem)
}
