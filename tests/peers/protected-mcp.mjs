// An MCP server (real SDK) behind a bearer check, in front of any authorization server. Settings: README.md.
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import express from 'express';
import { list, serve } from './lib/peer.mjs';

const { MCP_PATH: path = '/mcp', PRM = 'path', HINT, RESOURCE } = process.env;
const scopes = list('SCOPES', ' ');
const required = list('CHALLENGE_SCOPE', ' ');
const issuers = list('AUTHORIZATION_SERVERS', ',');
const introspection = process.env.INTROSPECTION ? JSON.parse(process.env.INTROSPECTION) : undefined;

// RFC 9728 §3.1 puts the well-known part before the path; the other places are what real servers do.
const places = { path: `/.well-known/oauth-protected-resource${path === '/' ? '' : path}`, root: '/.well-known/oauth-protected-resource', header: '/metadata/resource.json', none: undefined };
if (!(PRM in places)) throw new Error(`PRM must be one of ${Object.keys(places).join(', ')}, not ${PRM}.`);

async function verifyAccessToken(token) {
  if (!introspection) throw new InvalidTokenError('No INTROSPECTION was given: this server accepts no token.');
  const headers = {};
  if (introspection.client_id) {
    headers.authorization = `Basic ${Buffer.from(`${introspection.client_id}:${introspection.client_secret}`).toString('base64')}`;
  }
  const response = await fetch(introspection.endpoint, { method: 'POST', headers, body: new URLSearchParams({ token }) });
  const answer = await response.json();
  if (!response.ok || !answer.active) throw new InvalidTokenError('The authorization server does not know this token.');
  return { token, clientId: answer.client_id, scopes: (answer.scope ?? '').split(' ').filter(Boolean), expiresAt: answer.exp, extra: { audience: answer.aud } };
}

function mcpServer(auth) {
  const server = new McpServer({ name: 'protected-mcp', version: '1.0.0' });
  server.registerTool('whoami', { description: 'Tells which OAuth client is calling.' }, async () => ({
    content: [{ type: 'text', text: JSON.stringify({ client_id: auth.clientId, scopes: auth.scopes, audience: auth.extra?.audience }) }],
  }));
  return server;
}

await serve((base) => {
  const place = places[PRM];
  const resource = RESOURCE ?? base + path;
  const app = express();
  if (place) {
    const metadata = { resource, authorization_servers: issuers, bearer_methods_supported: ['header'], resource_name: 'Protected MCP server', ...(scopes.length ? { scopes_supported: scopes } : {}) };
    app.get(place, (_request, response) => response.json(metadata));
  }
  const hint = place && HINT !== '0' ? { resourceMetadataUrl: base + place } : {};
  const guard = requireBearerAuth({ verifier: { verifyAccessToken }, requiredScopes: required, ...hint });
  app.all(path, guard, express.json(), async (request, response) => {
    // Stateless: a server and a transport for each request.
    const server = mcpServer(request.auth);
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
    response.on('close', () => { transport.close(); server.close(); });
    await server.connect(transport);
    await transport.handleRequest(request, response, request.body);
  });
  return { handler: app, ready: { mcp_url: base + path, resource } };
});
