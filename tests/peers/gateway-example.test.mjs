// The gateway of docs/examples, compiled strictly and run as its guide says: against the sandbox and oidc-provider.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { here as clients, installed, program, run } from '../clients/lib/build.mjs';
import { until as eventually } from '../clients/lib/fake-registry.mjs';
import { call, startRegistry } from './lib/registry.mjs';
import { startPeer } from './lib/start.mjs';
import { authorize } from './lib/user-agent.mjs';

const here = (path) => clients(`../../peers/${path}`);
const BINARY = process.env.MCP_REGISTRY_TEST_BINARY;
const METADATA = { oauth_client_metadata: { client_name: 'Acme Corp MCP Gateway', scope: 'mcp:read mcp:write offline_access' } };
const CALLBACK = 'http://localhost:8787/oauth/upstream-callback';
const NOTES = '/mcp/acme/notes/tools';
const until = (look, what) => eventually(look, what, 20_000);

let library;
let example;
before(async () => {
  library = await installed();
  example = await program(library.folder, here('../../docs/examples/gateway.ts'), here('../../docs/examples/store.ts'));
});
after(() => library.remove());

/** One gateway process. `ask` is a user's request; `signIn` is what the user does in a browser. */
async function gateway(t, registry, folder) {
  const keyFile = join(folder, 'registry.key');
  await writeFile(keyFile, registry.gateway);
  const environment = { REGISTRY_URLS: registry.url, REGISTRY_KEY_FILE: keyFile, GATEWAY_STORE: join(folder, 'store'), PORT: '0' };
  const child = spawn(process.execPath, [example], { env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.on('data', (data) => { log += data; });
  const ended = once(child, 'exit');
  const kill = async (signal) => { child.kill(signal); await ended; };
  t.after(() => kill('SIGKILL'));
  const url = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => resolve(line.replace('listening on ', '')));
    ended.then(([code]) => reject(new Error(`the gateway ended with ${code}: ${log}`)));
  });
  const ask = async (user, path, body) => {
    const response = await fetch(url + path, { headers: { 'x-user': user }, ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}) });
    return { status: response.status, ...(await response.json()) };
  };
  /** A user asks, is sent to the authorization server and agrees. Gives where the browser is sent then. */
  const consent = async (user) => {
    const told = await ask(user, NOTES);
    assert.equal(told.status, 401, JSON.stringify(told));
    return authorize(told.authorize, CALLBACK);
  };
  const comeBack = (user, back) => ask(user, `/oauth/upstream-callback${back.search}`);
  const signIn = async (user) => {
    const told = await comeBack(user, await consent(user));
    assert.equal(told.signed_in, 'acme/notes', JSON.stringify(told));
  };
  return { ask, consent, comeBack, signIn, kill };
}

async function started(t, script, environment) {
  const peer = await startPeer(script, environment);
  t.after(() => peer.stop());
  return peer;
}

async function seeded(t, mcpUrl, members = { auth_type: 'oauth_auto', configurations: METADATA }) {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-example-'));
  const registry = await startRegistry(BINARY, folder);
  t.after(async () => { await registry.stop(); await rm(folder, { recursive: true, force: true }); });
  await call(registry, registry.admin, 'POST', '/v1/workspaces', { name: 'Acme', slug: 'acme' });
  const service = { name: 'Notes', slug: 'notes', url: mcpUrl, transport: 'http', ...members };
  await call(registry, registry.admin, 'POST', '/v1/mcp-integrations', service);
  await call(registry, registry.admin, 'POST', '/v1/mcp-servers', { name: 'Notes', slug: 'notes', mcp_integration_id: 'notes', workspace_id: 'acme' });
  return { registry, folder };
}

/** A real authorization server with a protected MCP server, the registry, and where gateways keep what they know. */
async function scene(t) {
  const authorizationServer = await started(t, 'oidc-provider.mjs', { SCOPES: 'mcp:read mcp:write offline_access' });
  const { issuer, introspection } = authorizationServer.ready;
  const mcp = await started(t, 'protected-mcp.mjs', { AUTHORIZATION_SERVERS: issuer, INTROSPECTION: JSON.stringify(introspection), SCOPES: 'mcp:read mcp:write' });
  return { authorizationServer, ...(await seeded(t, mcp.ready.mcp_url)) };
}

async function whoami(one, user) {
  const told = await one.ask(user, `${NOTES}/whoami`, {});
  assert.equal(told.status, 200, JSON.stringify(told));
  return JSON.parse(told.content[0].text).client_id;
}

test('what the guide shows is in the examples', async () => {
  const guide = await readFile(here('../../docs/gateway-guide.md'), 'utf8');
  const code = (await Promise.all(['gateway.ts', 'store.ts', 'follower.ts', 'follower.py'].map((name) => readFile(here(`../../docs/examples/${name}`), 'utf8')))).join('\n');
  const shown = [...guide.matchAll(/```(?:ts|python)\n([\s\S]*?)```/g)].map(([, block]) => block);
  assert.ok(shown.length > 0);
  for (const block of shown) assert.ok(code.includes(block), `not in docs/examples: ${block}`);
});

test('against the sandbox: signs in once, and follows what is deleted', async (t) => {
  const sandbox = spawn(BINARY, ['sandbox'], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(async () => { sandbox.stdin.end(); await once(sandbox, 'exit'); });
  const [line] = await once(createInterface({ input: sandbox.stdout }), 'line');
  const { mcp_url: mcpUrl } = JSON.parse(line.replace(/^ready /, ''));
  const { registry, folder } = await seeded(t, mcpUrl);
  const one = await gateway(t, registry, folder);
  await one.signIn('ann');
  assert.ok((await one.ask('ann', NOTES)).tools.length > 0);
  assert.equal((await one.ask('bob', NOTES)).status, 401);
  assert.equal((await one.ask('ann', '/healthz')).stale_since, null);
  await call(registry, registry.admin, 'DELETE', '/v1/mcp-servers/notes');
  await until(async () => (await one.ask('ann', '/healthz')).servers === 0, 'the end');
});

test('a server without OAuth gets the headers of its document, and no user is asked', async (t) => {
  const answers = { initialize: { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'plain', version: '1' } }, 'tools/list': { tools: [] } };
  const plain = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { id, method } = JSON.parse(body || '{}');
    const status = request.headers['x-key'] !== 'secret' ? 401 : request.method !== 'POST' ? 405 : id === undefined ? 202 : 200;
    response.writeHead(status, { 'content-type': 'application/json' }).end(status === 200 ? JSON.stringify({ jsonrpc: '2.0', id, result: answers[method] }) : '');
  });
  plain.listen(0, '127.0.0.1');
  await once(plain, 'listening');
  t.after(() => { plain.closeAllConnections(); plain.close(); });
  const { registry, folder } = await seeded(t, `http://127.0.0.1:${plain.address().port}/mcp`, { auth_type: 'headers', configurations: { headers: { 'x-key': 'secret' } } });
  const one = await gateway(t, registry, folder);
  assert.deepEqual((await one.ask('ann', NOTES)).tools, []);
  assert.equal((await one.ask('ann', '/mcp/acme/nothing/tools')).status, 404);
});

test('a client that is forgotten is reported, and the user signs in with the next one', async (t) => {
  const { authorizationServer, registry, folder } = await scene(t);
  const one = await gateway(t, registry, folder);
  await one.signIn('ann');
  const first = await whoami(one, 'ann');
  // Forgotten between consent and token: the one moment in which an authorization server says so to a gateway.
  const back = await one.consent('bob');
  await authorizationServer.forget(first);
  assert.equal((await one.comeBack('bob', back)).status, 409);
  await until(async () => (await call(registry, registry.gateway, 'GET', '/v1/gateway/servers/acme/notes')).generation === 2, 'the next client');
  await one.signIn('bob');
  assert.notEqual(await whoami(one, 'bob'), first);
});

test('a sign-in survives the process that began it, and serves nobody else', async (t) => {
  const { registry, folder } = await scene(t);
  const [one, other] = await Promise.all([gateway(t, registry, folder), gateway(t, registry, folder)]);
  const back = await one.consent('ann');
  await one.kill('SIGKILL');
  assert.equal((await other.comeBack('ann', back)).signed_in, 'acme/notes');
  assert.equal((await other.ask('ann', NOTES)).status, 200);
  // A process that starts later knows the tokens as well.
  assert.equal((await (await gateway(t, registry, folder)).ask('ann', NOTES)).status, 200);

  const refused = {
    'used twice': () => back,
    'another user': async () => other.consent('eve'),
    'another issuer': async () => changed(await other.consent('bob'), 'iss', 'https://evil.example'),
    'no issuer, where it is promised': async () => changed(await other.consent('bob'), 'iss', undefined),
    'an unknown state': async () => changed(await other.consent('bob'), 'state', 'x'),
    'no state': async () => changed(await other.consent('bob'), 'state', undefined),
  };
  for (const [why, what] of Object.entries(refused)) {
    assert.equal((await other.comeBack('bob', await what())).status, 400, why);
    assert.equal((await other.ask('bob', NOTES)).status, 401, why);
  }
});

function changed(url, name, value) {
  if (value === undefined) url.searchParams.delete(name);
  else url.searchParams.set(name, value);
  return url;
}

test('two processes refresh one user\'s tokens once, also while the registry is away', async (t) => {
  const { registry, folder } = await scene(t);
  const gateways = await Promise.all([gateway(t, registry, folder), gateway(t, registry, folder)]);
  await gateways[0].signIn('ann');
  const { Store } = await import(join(library.folder, 'store.js'));
  const store = new Store(join(folder, 'store'));
  const key = 'tokens ann acme/notes';
  await registry.stop();
  for (let turn = 0; turn < 3; turn += 1) {
    const held = await store.get(key);
    assert.ok(held.tokens.refresh_token);
    await store.set(key, { ...held, expires: 0 }, 3600);
    const told = await Promise.all([0, 1, 0, 1].map((which) => gateways[which].ask('ann', NOTES)));
    assert.deepEqual(told.map((one) => one.status), [200, 200, 200, 200], JSON.stringify(told));
    assert.notEqual((await store.get(key)).tokens.access_token, held.tokens.access_token);
  }
  await until(async () => (await gateways[0].ask('ann', '/healthz')).stale_since, 'stale since when');
});

test('the Python SDK signs in with the document alone', async (t) => {
  const authorizationServer = await started(t, 'oidc-provider.mjs');
  const { issuer, introspection } = authorizationServer.ready;
  const mcp = await started(t, 'protected-mcp.mjs', { AUTHORIZATION_SERVERS: issuer, INTROSPECTION: JSON.stringify(introspection), SCOPES: 'mcp:read mcp:write' });
  const { registry } = await seeded(t, mcp.ready.mcp_url);
  const path = '/v1/gateway/servers/acme/notes';
  const document = await until(async () => {
    const found = await call(registry, registry.gateway, 'GET', path);
    return found.client && found;
  }, 'the client');
  const file = join(await mkdtemp(join(tmpdir(), 'python-client-')), 'document.json');
  await writeFile(file, JSON.stringify(document));
  const { stdout } = await run(process.env.MCP_REGISTRY_TEST_PYTHON, [here('mcp_client.py'), file, process.execPath, here('lib/walk.mjs')], { timeout: 60_000 });
  const told = JSON.parse(stdout);
  assert.deepEqual(told, { tools: ['whoami'], client_id: document.client.client_id, registered: 0 });
  assert.deepEqual((await authorizationServer.clients()).map((one) => one.client_id), [document.client.client_id]);
});
