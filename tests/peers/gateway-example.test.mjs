// The gateway of docs/gateway-guide.md, type-checked and run unchanged: against the sandbox and oidc-provider.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { call, startRegistry } from './lib/registry.mjs';
import { startPeer } from './lib/start.mjs';
import { authorize } from './lib/user-agent.mjs';

const run = promisify(execFile);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const BINARY = process.env.MCP_REGISTRY_TEST_BINARY;
const PATIENCE = 20_000;
const METADATA = { oauth_client_metadata: { client_name: 'Acme Corp MCP Gateway', scope: 'mcp:read mcp:write' } };

/** The example as a module: type-checked against the SDK, then turned into JavaScript beside the packages it needs. */
async function example(t, registry) {
  const folder = await mkdtemp(here('../node_modules/.gateway-example-'));
  t.after(() => rm(folder, { recursive: true }));
  const compile = [here('../node_modules/typescript/bin/tsc'), '--strict', '--noImplicitAny', 'false', '--skipLibCheck', '--target', 'es2022', '--module', 'nodenext', '--types', 'node', '--typeRoots', here('../node_modules/@types'), '--outDir', folder];
  await writeFile(join(folder, 'gateway.mts'), await readFile(here('../../docs/examples/gateway.ts')));
  await run(process.execPath, [...compile, join(folder, 'gateway.mts')]).catch((error) => assert.fail(error.stdout));
  process.env.REGISTRY_URL = registry.url;
  process.env.REGISTRY_KEY = registry.gateway;
  const gateway = await import(join(folder, 'gateway.mjs'));
  const stop = new AbortController();
  const following = gateway.follow(stop.signal);
  t.after(async () => { stop.abort(); await following; });
  return gateway;
}

async function started(t, script, environment) {
  const peer = await startPeer(script, environment);
  t.after(() => peer.stop());
  return peer;
}

async function seeded(t, mcpUrl) {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-example-'));
  const registry = await startRegistry(BINARY, folder);
  t.after(async () => { await registry.stop(); await rm(folder, { recursive: true }); });
  await call(registry, registry.admin, 'POST', '/v1/workspaces', { name: 'Acme', slug: 'acme' });
  const service = { name: 'Notes', slug: 'notes', url: mcpUrl, auth_type: 'oauth_auto', transport: 'http', configurations: METADATA };
  await call(registry, registry.admin, 'POST', '/v1/mcp-integrations', service);
  await call(registry, registry.admin, 'POST', '/v1/mcp-servers', { name: 'Notes', slug: 'notes', mcp_integration_id: 'notes', workspace_id: 'acme' });
  return registry;
}

async function consent(url, callback) {
  const back = await authorize(url, callback);
  assert.equal(back.searchParams.get('error'), null, back.href);
  return back.searchParams.get('code');
}

async function until(done, what) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const found = await done();
    if (found) return found;
    assert.ok(Date.now() < end, `${what}: not within ${PATIENCE} ms`);
    await pause(20);
  }
}

test('the guide shows the example as it is', async () => {
  const [guide, code] = await Promise.all(['../../docs/gateway-guide.md', '../../docs/examples/gateway.ts'].map((path) => readFile(here(path), 'utf8')));
  assert.ok(guide.includes(`\`\`\`ts\n${code}\`\`\``));
  assert.ok(code.trimEnd().split('\n').length <= 70);
});

test('the example against the sandbox: signs in, and follows what is changed', async (t) => {
  const sandbox = spawn(BINARY, ['sandbox'], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(async () => { sandbox.stdin.end(); await once(sandbox, 'exit'); });
  const [line] = await once(createInterface({ input: sandbox.stdout }), 'line');
  const { mcp_url: mcpUrl } = JSON.parse(line.replace(/^ready /, ''));
  const registry = await seeded(t, mcpUrl);
  const gateway = await example(t, registry);
  const session = await gateway.connect('acme/notes', 'ann', consent);
  assert.ok((await session.listTools()).tools.length > 0);
  await session.close();
  // A second session of the same user needs no consent.
  await (await gateway.connect('acme/notes', 'ann', () => assert.fail('asked again'))).close();
  const headers = { 'x-team': 'acme' };
  await call(registry, registry.admin, 'PUT', '/v1/mcp-integrations/notes', { configurations: { ...METADATA, headers } });
  await until(() => gateway.documents.get('acme/notes')?.headers?.['x-team'] === 'acme', 'the change');
  await call(registry, registry.admin, 'DELETE', '/v1/mcp-servers/notes');
  await until(() => !gateway.documents.has('acme/notes'), 'the end');
});

test('the example against oidc-provider: a client that is forgotten is reported, and the next one is used', async (t) => {
  const authorizationServer = await started(t, 'oidc-provider.mjs');
  const { issuer, introspection } = authorizationServer.ready;
  const mcp = await started(t, 'protected-mcp.mjs', { AUTHORIZATION_SERVERS: issuer, INTROSPECTION: JSON.stringify(introspection), SCOPES: 'mcp:read mcp:write' });
  const registry = await seeded(t, mcp.ready.mcp_url);
  const gateway = await example(t, registry);
  const whoami = async (user) => {
    const session = await gateway.connect('acme/notes', user, consent);
    const told = JSON.parse((await session.callTool({ name: 'whoami', arguments: {} })).content[0].text);
    await session.close();
    return told.client_id;
  };
  const first = (await until(() => gateway.documents.get('acme/notes')?.client, 'the client')).client_id;
  assert.equal(await whoami('ann'), first);
  // Forgotten between consent and token: the one moment in which an authorization server says so to a gateway.
  let forgotten = false;
  const session = await gateway.connect('acme/notes', 'bob', async (url, callback) => {
    const code = await consent(url, callback);
    if (!forgotten) {
      forgotten = true;
      await authorizationServer.forget(first);
    }
    return code;
  });
  const told = JSON.parse((await session.callTool({ name: 'whoami', arguments: {} })).content[0].text);
  await session.close();
  assert.notEqual(told.client_id, first);
  assert.equal(told.client_id, gateway.documents.get('acme/notes').client.client_id);
  assert.equal(gateway.documents.get('acme/notes').generation, 2);
});

test('the Python SDK signs in with the document alone', async (t) => {
  const authorizationServer = await started(t, 'oidc-provider.mjs');
  const { issuer, introspection } = authorizationServer.ready;
  const mcp = await started(t, 'protected-mcp.mjs', { AUTHORIZATION_SERVERS: issuer, INTROSPECTION: JSON.stringify(introspection), SCOPES: 'mcp:read mcp:write' });
  const registry = await seeded(t, mcp.ready.mcp_url);
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
