// The client that the MCP conformance suite judges: our product finds the authorization server and registers, a gateway on the
// TypeScript SDK signs in with what our product hands out. Run by conformance.mjs; the suite appends the MCP server's address.
import { setTimeout as pause } from 'node:timers/promises';
import { Session } from './lib/gateway.mjs';
import { call } from './lib/registry.mjs';

const registry = JSON.parse(process.env.CONFORMANCE_REGISTRY);
const scenario = process.env.MCP_CONFORMANCE_SCENARIO;
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}');
const mcpUrl = process.argv.at(-1);
const PATIENCE = 15_000;

// What an admin would enter for this server. Everything else is found out by the product.
function configurations() {
  if (scenario === 'auth/pre-registration') {
    return { oauth_client_metadata: { client_id: context.client_id, client_secret: context.client_secret } };
  }
  // The suite accepts this one document only, which does not exist: a client that another party published.
  if (scenario === 'auth/basic-cimd') {
    return { oauth_client_metadata: { client_id: 'https://conformance-test.local/client-metadata.json' } };
  }
  if (scenario.startsWith('auth/2025-03-26-')) return { registration: { legacy_discovery: true } };
  return {};
}

async function registered(name) {
  await call(registry, registry.admin, 'POST', '/v1/workspaces', { name, slug: name });
  await call(registry, registry.admin, 'POST', '/v1/mcp-integrations', {
    name, slug: name, url: mcpUrl, auth_type: 'oauth_auto', transport: 'http', configurations: configurations(),
  });
  await call(registry, registry.admin, 'POST', '/v1/mcp-servers', { name, slug: name, mcp_integration_id: name, workspace_id: name });
  const until = Date.now() + PATIENCE;
  for (;;) {
    const document = await call(registry, registry.gateway, 'GET', `/v1/gateway/servers/${name}/${name}`);
    if (document.client) return document.client;
    if (document.registration.state === 'failed' || Date.now() > until) {
      throw new Error(`No client: ${JSON.stringify(document.registration)}`);
    }
    await pause(50);
  }
}

try {
  const client = await registered(scenario.replace(/[^a-z0-9]+/g, '-'));
  const session = new Session(mcpUrl, client);
  await session.connect();
  const tools = await session.listTools();
  for (const tool of tools) await session.callTool(tool.name);
  await session.close();
  console.log(`${client.client_id}: ${session.signIns} sign-ins, ${tools.length} tools`);
  process.exit(0);
} catch (error) {
  console.error(error.stack ?? error);
  process.exit(1);
}
