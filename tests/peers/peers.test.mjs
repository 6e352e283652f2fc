// The peers prove themselves, without the control plane: a client registered by hand suffices for a real MCP client.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startPeer } from './lib/start.mjs';

const folder = await mkdtemp(join(tmpdir(), 'peers-'));
after(() => rm(folder, { recursive: true }));

const METADATA = {
  client_name: 'Registered by hand',
  redirect_uris: ['http://localhost:8787/oauth/upstream-callback'],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  application_type: 'native',
  scope: 'mcp:read mcp:write',
};

async function register(authorizationServer, metadata, token) {
  const headers = { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) };
  const response = await fetch(authorizationServer.ready.registration_endpoint, { method: 'POST', headers, body: JSON.stringify(metadata) });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

async function runClient(mcpUrl, document) {
  const file = join(folder, `${crypto.randomUUID()}.json`);
  await writeFile(file, JSON.stringify(document));
  const script = fileURLToPath(new URL('./mcp-client.mjs', import.meta.url));
  return new Promise((resolve) => {
    execFile(process.execPath, [script, mcpUrl, file], { timeout: 60_000 }, (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr }));
  });
}

async function started(t, script, environment) {
  const peer = await startPeer(script, environment);
  t.after(() => peer.stop());
  return peer;
}

async function fullRun(t, authorizationServer, { metadata = METADATA, token, mcp = {} } = {}) {
  const { issuer, introspection } = authorizationServer.ready;
  const protectedMcp = await started(t, 'protected-mcp.mjs', {
    AUTHORIZATION_SERVERS: issuer, INTROSPECTION: JSON.stringify(introspection), SCOPES: 'mcp:read mcp:write', ...mcp,
  });
  const { status, body } = await register(authorizationServer, metadata, token);
  assert.equal(status, 201, JSON.stringify(body));
  assert.equal((await authorizationServer.event('registered')).client_id, body.client_id);
  const run = await runClient(protectedMcp.ready.mcp_url, { client: { ...body, issuer } });
  assert.equal(run.code, 0, run.stderr);
  const result = JSON.parse(run.stdout);
  assert.deepEqual(result.tools, ['whoami']);
  assert.equal(result.caller.client_id, body.client_id);
  assert.deepEqual([...result.caller.scopes].sort(), ['mcp:read', 'mcp:write']);
}

test('oidc-provider: a public client', async (t) => {
  await fullRun(t, await started(t, 'oidc-provider.mjs'), { metadata: { ...METADATA, token_endpoint_auth_method: 'none' } });
});

test('oidc-provider: issuer with a path, initial access token, a client with a secret, metadata by header', async (t) => {
  const authorizationServer = await started(t, 'oidc-provider.mjs', { ISSUER_PATH: '/tenant1', INITIAL_ACCESS_TOKEN: 'let-me-in' });
  assert.match(authorizationServer.ready.issuer, /\/tenant1$/);
  assert.equal((await register(authorizationServer, METADATA)).status, 401);
  assert.equal((await authorizationServer.event('refused')).error, 'invalid_token');
  const metadata = { ...METADATA, token_endpoint_auth_method: 'client_secret_basic' };
  await fullRun(t, authorizationServer, { metadata, token: 'let-me-in', mcp: { PRM: 'header', CHALLENGE_SCOPE: 'mcp:read mcp:write' } });
});

test('SDK authorization server: metadata at the root', async (t) => {
  const authorizationServer = await started(t, 'sdk-authorization-server.mjs', { SECRET_EXPIRY: '60' });
  await fullRun(t, authorizationServer, { metadata: { ...METADATA, token_endpoint_auth_method: 'client_secret_post' }, mcp: { PRM: 'root', HINT: '0' } });
});

test('SDK authorization server: the rate limit answers 429 with Retry-After', async (t) => {
  const authorizationServer = await started(t, 'sdk-authorization-server.mjs', { RATE_MAX: '1', RATE_WINDOW_MS: '60000' });
  assert.equal((await register(authorizationServer, METADATA)).status, 201);
  const second = await register(authorizationServer, METADATA);
  assert.equal(second.status, 429);
  assert.ok(Number(second.headers.get('retry-after')) > 0);
});

test("the SDK's own example", async (t) => {
  const example = await started(t, 'sdk-example.mjs');
  const { scope: _scope, ...metadata } = METADATA;
  const { body } = await register(example, { ...metadata, scope: 'mcp:tools', token_endpoint_auth_method: 'none' });
  const run = await runClient(example.ready.mcp_url, { client: { ...body, issuer: example.ready.issuer } });
  assert.equal(run.code, 0, run.stderr);
  assert.ok(JSON.parse(run.stdout).tools.length > 3);
});

test('the MCP client never registers', async (t) => {
  const authorizationServer = await started(t, 'oidc-provider.mjs');
  const { issuer, introspection } = authorizationServer.ready;
  const protectedMcp = await started(t, 'protected-mcp.mjs', { AUTHORIZATION_SERVERS: issuer, INTROSPECTION: JSON.stringify(introspection) });
  const without = await runClient(protectedMcp.ready.mcp_url, { registration: { state: 'failed' } });
  assert.equal(without.code, 1);
  assert.match(without.stderr, /has no member "client"/);
  const elsewhere = await runClient(protectedMcp.ready.mcp_url, { client: { ...METADATA, client_id: 'x', issuer: 'http://127.0.0.9' } });
  assert.equal(elsewhere.code, 1);
  assert.deepEqual(authorizationServer.events.map(([word]) => word), ['ready']);
});
