//! The binary `mcp-registry`; everything is in the library, so that tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    mcp_registry::run()
}
