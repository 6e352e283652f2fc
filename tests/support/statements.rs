//! How much work the database had.

/// How many SQL statements all registries of this process have run since [`crate::TestServer`] first started.
pub fn statements() -> u64 {
    let rendered = mcp_registry::telemetry::metrics().render();
    let counted =
        rendered.lines().find_map(|line| line.strip_prefix("mcp_registry_database_statements_total "));
    counted.and_then(|number| number.parse().ok()).unwrap_or(0)
}
