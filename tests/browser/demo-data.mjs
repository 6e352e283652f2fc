// An organisation with something of everything, for the pages as they are looked at: upstreams on loopback that accept, refuse,
// are away or lose their answer, configurations at every level, and what follows from them.
import { startSandbox } from './fixture.mjs';

const ORGANISATION = `{
  "oauth_client_metadata": {
    "client_uri": "https://acme.com",
    "contacts": ["platform@acme.com"],
    "tos_uri": "https://acme.com/legal/terms",
    "policy_uri": "https://acme.com/legal/privacy"
  }
}`;

const LINEAR = `{
  "oauth_client_metadata": {
    "client_name": "Acme Corp MCP Gateway",
    "logo_uri": "https://acme.com/assets/logo.png",
    "software_id": "com.acme.mcp-gateway",
    "software_version": "1.0.0",
    "scope": "mcp:read mcp:write",
    "contacts": ["security@acme.com", "legal@acme.com"],
    "redirect_uris": ["https://acme.com/callback"]
  }
}`;

const UPSTREAMS = [
  { name: 'Linear', slug: 'linear', workspaces: ['acme-prod', 'acme-staging', 'data-science'], configurations: LINEAR },
  {
    name: 'Snowflake', slug: 'snowflake', workspaces: ['acme-prod', 'data-science'],
    quirks: { registration_refusal: { status: 400, error: 'invalid_client_metadata', description: 'scope session:role:ANALYST is not allowed for dynamic clients' } },
    configurations: '{ "oauth_client_metadata": { "scope": "session:role:ANALYST" } }',
  },
  { name: 'Notion', slug: 'notion', workspaces: ['acme-staging'], quirks: { lost_answers: 100 } },
  { name: 'Datadog', slug: 'datadog', workspaces: ['support'], quirks: { unavailable_requests: 10_000 } },
  { name: 'Atlassian', slug: 'atlassian', workspaces: ['acme-prod', 'support'], quirks: { no_management: true } },
  { name: 'Sentry', slug: 'sentry', workspaces: ['acme-prod', 'acme-staging', 'support'] },
  {
    name: 'GitHub', slug: 'github', workspaces: ['acme-prod'],
    configurations: '{ "oauth_client_metadata": { "client_id": "Iv1.8a61f9b3a7aba766", "client_secret": "a-secret-that-nobody-sees" } }',
  },
];

/** What the registry's configuration must declare for it, as `files` of `startRegistry`. */
export const DEMO_FILES = {
  'registry.toml': `[secrets.wiki]
file = "wiki.secret"
[gateway.portkey]
enabled = true
sync_token = "a-token-of-two-gateways"
sync_urls = ["http://127.0.0.1:9", "http://localhost:9"]
`,
  'wiki.secret': '{ "x-api-key": "another-secret" }',
};

/** Makes it all over the REST API and waits until every registration rests. Returns ids that addresses need. */
export async function demoData(t, registry) {
  const key = await registry.run('key', 'create', '--name', 'terraform', '--role', 'admin');
  const gateway = registry.api(await registry.run('key', 'create', '--name', 'gateway eu-1', '--role', 'gateway'));
  const api = registry.api(key);
  await api('PUT', '/v1/organisation/configuration', { configurations: JSON.parse(ORGANISATION) });
  for (const [name, slug] of [['Acme Production', 'acme-prod'], ['Acme Staging', 'acme-staging'], ['Data Science', 'data-science'], ['Support', 'support']]) {
    await api('POST', '/v1/workspaces', { name, slug });
  }
  for (const { name, slug, workspaces, quirks = {}, configurations = '{}' } of UPSTREAMS) {
    const { mcpUrl } = await startSandbox(t, quirks);
    await integration(api, { name, slug, url: mcpUrl, auth_type: 'oauth_auto', configurations: JSON.parse(configurations) }, workspaces);
  }
  await integration(api, { name: 'Wiki', slug: 'wiki', url: 'http://127.0.0.1:9/mcp', auth_type: 'headers', secret_mappings: [{ target_field: 'configurations.headers', secret_reference_id: 'wiki', value_format: 'json' }] }, ['support']);
  await integration(api, { name: 'Public docs', slug: 'public-docs', url: 'http://127.0.0.1:9/docs/mcp', auth_type: 'none' }, ['support']);
  const rests = ({ state }) => !['queued', 'registering', 'withdrawing'].includes(state);
  const registrations = await until(api, (all) => all.length >= 12 && all.every(rests));
  const of = (slug) => registrations.find(({ mcp_integration_slug: integration }) => integration === slug).id;
  await outdate(api, gateway, 'atlassian', 'atlassian-acme-prod');
  await capabilities(api, gateway);
  const ids = await people(api);
  return { ...ids, outdated: of('atlassian'), registered: of('linear'), failed: of('snowflake'), unconfirmed: of('notion'), retrying: of('datadog') };
}

const ICON = `data:image/svg+xml,${encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 20"><rect width="20" height="20" rx="5" fill="#5e6ad2"/><path d="M5 11l4 4M5 7l8 8M8 5l7 7" stroke="#fff" stroke-width="2"/></svg>')}`;
const LONG = 'Lists the issues of a team, newest first. Filters are combined; a filter that is absent does not narrow. '.repeat(6);

const OFFERED = [
  { type: 'tool', name: 'create_issue', title: 'Create an issue', description: 'Creates an issue in a team.' },
  { type: 'tool', name: 'delete_issue', title: 'Delete an issue', description: 'Deletes an issue and its comments. This cannot be undone.' },
  { type: 'tool', name: 'list_issues', description: LONG },
  { type: 'tool', name: 'search_issues_by_label_and_assignee_across_every_team_of_the_workspace', description: 'Full text search.' },
  { type: 'prompt', name: 'triage', title: 'Triage', description: 'Sorts new issues by urgency.' },
  { type: 'resource', name: 'Roadmap', uri: `https://linear.example/acme/documents/${'roadmap-2027-'.repeat(12)}draft?version=3&format=markdown`, description: 'The roadmap as Markdown.' },
  { type: 'resource', name: 'Labels', uri: 'linear://labels' },
  { type: 'resource_template', name: 'Issue', uri_template: 'linear://issues/{team}/{number}' },
];

// What gateways see at a server, switches at both levels, and users with an entry of their own.
async function capabilities(api, gateway) {
  const at = (what) => `/v1/mcp-servers/linear-acme-prod/${what}?workspace_id=acme-prod`;
  await gateway('POST', at('capabilities/sync'), { capabilities: OFFERED });
  await gateway('POST', at('metadata/sync'), {
    server_name: 'linear-mcp', server_version: '1.4.0', protocol_version: '2025-11-25', title: 'Linear', website_url: 'https://linear.app',
    description: 'Issues, projects and documents of Linear.', capability_flags: { tools: { listChanged: true }, prompts: {}, resources: {} },
    instructions: 'Search before you create an issue.', icons: [{ src: 'https://linear.app/icon.png' }, { src: ICON }],
  });
  await api('PUT', '/v1/mcp-integrations/linear/capabilities', { capabilities: [{ type: 'tool', name: 'delete_issue', enabled: false }, { type: 'tool', name: 'drop_workspace', enabled: false }] });
  await api('PUT', at('capabilities'), { capabilities: [{ type: 'prompt', name: 'triage', enabled: false }] });
  const { id } = await api('POST', '/v1/users', { email: 'margaret@acme.com', name: 'Margaret Hamilton', role: 'viewer' });
  await api('PUT', at('user-access'), { user_access: [{ user_id: id, enabled: false }] });
}

// A user with roles in two workspaces who has never signed in, and a deactivated user.
async function people(api) {
  const both = [{ workspace_id: 'acme-prod', role: 'manager' }, { workspace_id: 'support', role: 'viewer' }];
  const { id: invited } = await api('POST', '/v1/users', { email: 'katherine@acme.com', name: 'Katherine Johnson', workspaces: both });
  const { id: gone } = await api('POST', '/v1/users', { email: 'dorothy@acme.com', name: 'Dorothy Vaughan', role: 'viewer' });
  await api('DELETE', `/v1/users/${gone}`);
  return { invited, gone };
}

async function integration(api, body, workspaces) {
  await api('POST', '/v1/mcp-integrations', { transport: 'http', ...body });
  for (const workspace of workspaces) {
    await api('POST', '/v1/mcp-servers', { name: body.name, slug: `${body.slug}-${workspace}`.slice(0, 60), mcp_integration_id: body.slug, workspace_id: workspace });
  }
}

// A client that gateways use and whose metadata changed where changes ask: it stays and waits for an approval.
async function outdate(api, gateway, integration, server) {
  await gateway('GET', `/v1/gateway/servers/acme-prod/${server}`);
  const changed = { oauth_client_metadata: { client_name: 'Acme Corp MCP Gateway' }, registration: { replace: 'ask' } };
  await api('PUT', `/v1/mcp-integrations/${integration}`, { configurations: changed });
  await until(api, (all) => all.some(({ state }) => state === 'outdated'));
}

async function until(api, done) {
  for (;;) {
    const { data } = await api('GET', '/v1/registrations?page_size=100');
    if (done(data)) return data;
  }
}
