// The peers prove themselves, without the control plane: a client registered by hand suffices for a real MCP client.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
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

async function fullRun(t, authorizationServer, { metadata = METADATA, token, mcp = {}, created = 201 } = {}) {
  const { issuer, introspection } = authorizationServer.ready;
  const protectedMcp = await started(t, 'protected-mcp.mjs', {
    AUTHORIZATION_SERVERS: issuer, INTROSPECTION: JSON.stringify(introspection), SCOPES: 'mcp:read mcp:write', ...mcp,
  });
  const { status, body } = await register(authorizationServer, metadata, token);
  assert.equal(status, created, JSON.stringify(body));
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

// A client that works, until the server is made to forget it: its answer to an invalid code shows which.
async function saysOf(tokenEndpoint, client) {
  const form = new URLSearchParams({ grant_type: 'authorization_code', code: 'nobody-issued-this', redirect_uri: METADATA.redirect_uris[0], code_verifier: 'v'.repeat(43), client_id: client.client_id, ...(client.client_secret ? { client_secret: client.client_secret } : {}) });
  const response = await fetch(tokenEndpoint, { method: 'POST', body: form });
  return (await response.json()).error;
}

async function forgets(authorizationServer, tokenEndpoint) {
  const { body: client } = await register(authorizationServer, { ...METADATA, token_endpoint_auth_method: 'client_secret_post' });
  assert.deepEqual((await authorizationServer.clients()).map((one) => one.client_id), [client.client_id]);
  assert.notEqual(await saysOf(tokenEndpoint, client), 'invalid_client');
  await authorizationServer.forget(client.client_id);
  assert.deepEqual(await authorizationServer.clients(), []);
  return { client, says: await saysOf(tokenEndpoint, client) };
}

test('oidc-provider forgets', async (t) => {
  const authorizationServer = await started(t, 'oidc-provider.mjs');
  const { client, says } = await forgets(authorizationServer, `${authorizationServer.ready.issuer}/token`);
  assert.equal(says, 'invalid_client');
  const read = await fetch(client.registration_client_uri, { headers: { authorization: `Bearer ${client.registration_access_token}` } });
  assert.equal(read.status, 401);
});

test('oidc-provider: each update brings a new registration access token, and the old one is refused', async (t) => {
  const authorizationServer = await started(t, 'oidc-provider.mjs');
  const { body: first } = await register(authorizationServer, { ...METADATA, token_endpoint_auth_method: 'none' });
  const rename = async (token) => {
    const body = JSON.stringify({ ...METADATA, token_endpoint_auth_method: 'none', client_id: first.client_id, client_name: 'Renamed' });
    return fetch(first.registration_client_uri, { method: 'PUT', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body });
  };
  const updated = await rename(first.registration_access_token);
  assert.equal(updated.status, 200);
  const { registration_access_token: next } = await updated.json();
  assert.notEqual(next, first.registration_access_token);
  assert.equal((await rename(first.registration_access_token)).status, 401);
});

test('SDK authorization server forgets', async (t) => {
  const authorizationServer = await started(t, 'sdk-authorization-server.mjs');
  const { says } = await forgets(authorizationServer, new URL('/token', authorizationServer.ready.issuer));
  assert.equal(says, 'invalid_client');
});

test('Python SDK: the whole way, and it forgets', async (t) => {
  const server = await started(t, 'python_sdk.py');
  const { body } = await register(server, { ...METADATA, token_endpoint_auth_method: 'client_secret_post' });
  const run = await runClient(server.ready.mcp_url, { client: { ...body, issuer: server.ready.issuer } });
  assert.equal(run.code, 0, run.stderr);
  assert.equal(JSON.parse(run.stdout).caller.client_id, body.client_id);
  await server.forget(body.client_id);
  const { says } = await forgets(server, `${server.ready.issuer}/token`);
  assert.equal(says, 'invalid_client');
});

test('glewlwyd: a client with a secret', async (t) => {
  await fullRun(t, await started(t, 'glewlwyd.mjs'), { metadata: { ...METADATA, token_endpoint_auth_method: 'client_secret_post' }, created: 200 });
});

test('glewlwyd: 200, a new secret on every update, a list where a word belongs, deletion that disables; and it forgets', async (t) => {
  const authorizationServer = await started(t, 'glewlwyd.mjs');
  const asked = { ...METADATA, token_endpoint_auth_method: 'client_secret_post' };
  const { status, body } = await register(authorizationServer, asked);
  assert.equal(status, 200);
  const manage = async (method, metadata) => {
    const headers = { authorization: `Bearer ${body.registration_access_token}`, ...(metadata ? { 'content-type': 'application/json' } : {}) };
    const response = await fetch(body.registration_client_uri, { method, headers, body: metadata && JSON.stringify(metadata) });
    return { status: response.status, body: await response.json().catch(() => undefined) };
  };
  const read = await manage('GET');
  assert.deepEqual(read.body.token_endpoint_auth_method, ['client_secret_post']);
  assert.equal(read.body.registration_access_token, undefined);
  const updated = await manage('PUT', { ...asked, client_id: body.client_id, client_secret: body.client_secret, client_name: 'Renamed' });
  assert.equal(updated.status, 200);
  assert.equal(updated.body.client_name, 'Renamed');
  assert.notEqual(updated.body.client_secret, body.client_secret);
  assert.equal((await manage('DELETE')).status, 200);
  assert.deepEqual(authorizationServer.events.slice(1).map(([word]) => word), ['registered', 'read', 'updated', 'deleted']);
  const { says } = await forgets(authorizationServer, `${authorizationServer.ready.issuer}/token`);
  assert.equal(says, 'unauthorized_client');
});

test('oidc-provider takes a client document over https', async (t) => {
  const front = await started(t, 'tls-front.mjs');
  const authorizationServer = await started(t, 'oidc-provider.mjs', { CIMD: '1', NODE_EXTRA_CA_CERTS: front.ready.ca_file });
  const client = { ...METADATA, client_id: `${front.ready.public_url}/oauth/clients/one.json`, token_endpoint_auth_method: 'none' };
  const published = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(client));
  }).listen(0, '127.0.0.1');
  t.after(() => published.close());
  await once(published, 'listening');
  await fetch(front.ready.control, { method: 'PUT', body: `http://127.0.0.1:${published.address().port}` });
  const { issuer, introspection } = authorizationServer.ready;
  const protectedMcp = await started(t, 'protected-mcp.mjs', { AUTHORIZATION_SERVERS: issuer, INTROSPECTION: JSON.stringify(introspection), SCOPES: 'mcp:read mcp:write' });
  const run = await runClient(protectedMcp.ready.mcp_url, { client: { ...client, issuer } });
  assert.equal(run.code, 0, run.stderr);
  assert.equal(JSON.parse(run.stdout).caller.client_id, client.client_id);
  assert.equal((await front.event('fetched')).path, '/oauth/clients/one.json');
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
