// The three documented examples (docs/client-metadata.md).
export const EXAMPLES = {
  'Enterprise Compliance': `{
  "oauth_client_metadata": {
    "client_name": "Acme Corp MCP Gateway",
    "client_uri": "https://acme.com",
    "logo_uri": "https://acme.com/assets/logo.png",
    "software_id": "com.acme.mcp-gateway",
    "software_version": "1.0.0",
    "scope": "mcp:read mcp:write",
    "contacts": ["security@acme.com", "legal@acme.com"],
    "tos_uri": "https://acme.com/legal/terms",
    "policy_uri": "https://acme.com/legal/privacy"
  }
}`,
  'Pre-Registered Client': `{
  "oauth_client_metadata": {
    "software_id": "registered-client-12345",
    "client_name": "Pre-Registered MCP Client"
  }
}`,
  'Custom Scopes': `{
  "oauth_client_metadata": {
    "scope": "read:projects write:issues admin:webhooks"
  }
}`,
};
