//! An OAuth-protected MCP server and its authorization server on loopback.
