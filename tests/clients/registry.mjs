// The libraries against the real registry: each typed request once, and a Follower that sees what an admin does.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { call, startRegistry } from '../peers/lib/registry.mjs';
import { here, installed, run } from './lib/build.mjs';
import { note } from './lib/calls.mjs';
import { drive } from './lib/driver.mjs';
import { until } from './lib/fake-registry.mjs';
import { record } from './lib/recorder.mjs';

const PYTHON = process.env.MCP_REGISTRY_TEST_PYTHON;
const BINARY = process.env.MCP_REGISTRY_TEST_BINARY;

let library;
let folder;
let real;
before(async () => {
  library = await installed();
  folder = await mkdtemp(join(tmpdir(), 'clients-'));
  real = await startRegistry(BINARY, folder);
  await call(real, real.admin, 'POST', '/v1/workspaces', { name: 'Acme', slug: 'acme' });
});
after(async () => {
  await real.stop();
  await Promise.all([library.remove(), rm(folder, { recursive: true })]);
});

/** A front of the registry; the table of calls gets what the library asks there. */
async function recorded(t, client) {
  const front = await record(real.url);
  t.after(() => {
    front.stop();
    note(client, front.calls.map((one) => ['', ...one]));
  });
  return front.url;
}

const integration = (slug) => ({ name: slug, slug, url: `https://mcp.example.com/${slug}`, auth_type: 'none', transport: 'http' });
const server = (slug) => ({ name: slug, slug, mcp_integration_id: slug, workspace_id: 'acme' });

test('TypeScript: requests and a follower', async (t) => {
  const { Follower, Registry, RegistryError } = await import(join(library.folder, 'node_modules/mcp-registry-client/dist/index.js'));
  const status = (wanted) => (error) => error instanceof RegistryError && error.status === wanted;
  const urls = ['http://127.0.0.1:9', await recorded(t, 'TypeScript')]; // the first replica is not there
  const registry = new Registry({ urls, key: real.admin });
  registry.avoid();
  const { id } = await registry.integrations.create(integration('tslib'));
  const { version } = await registry.integrations.get(id);
  await registry.integrations.update('tslib', { name: 'TypeScript' }, version);
  await assert.rejects(registry.integrations.update('tslib', { name: 'late' }, version), status(412));
  assert.equal((await registry.integrations.get('tslib')).name, 'TypeScript');
  for (const slug of ['one', 'two']) await registry.servers.create({ ...server('tslib'), slug });
  const found = [];
  for await (const one of registry.servers.all({ page_size: 1, mcp_integration_id: 'tslib' })) found.push(one.slug);
  assert.deepEqual(found.sort(), ['one', 'two']);
  await registry.integrations.create({ ...integration('tsoauth'), auth_type: 'oauth_auto' });
  assert.ok((await registry.integrations.list()).data.length > 1);
  await registry.servers.create(server('tsoauth'));
  await registry.servers.update('tsoauth', { description: 'by TypeScript' });
  assert.equal((await registry.servers.get('tsoauth')).description, 'by TypeScript');
  assert.equal((await registry.configurations.check({ configurations: { oauth_client_metadata: { client_name: 'Acme' } } })).valid, true);
  await registry.configurations.put({ oauth_client_metadata: { client_name: 'Acme' } });
  assert.equal((await registry.configurations.get()).configurations.oauth_client_metadata.client_name, 'Acme');
  await assert.rejects(registry.configurations.put({ oauth_client_metadata: { scope: ['a'] } }), (error) => error.findings[0].code === 'wrong_type');
  await assert.rejects(registry.integrations.get('nobody'), (error) => error.notFound);

  // What a gateway sees, by either way of following.
  for (const mode of ['poll', 'stream']) {
    const gateway = new Registry({ urls, key: real.gateway });
    const follower = new Follower(gateway, { mode });
    const stop = new AbortController();
    const following = follower.run(stop.signal);
    await follower.ready();
    assert.equal(follower.documents.get('acme/one').url, 'https://mcp.example.com/tslib');
    await registry.integrations.update('tslib', { configurations: { headers: { 'x-mode': mode } } });
    await follower.until(() => (follower.documents.get('acme/one').headers?.['x-mode'] === mode ? true : undefined), 10_000);
    await registry.servers.create({ ...server('tslib'), slug: mode });
    await follower.until(() => follower.documents.get(`acme/${mode}`), 10_000);
    await registry.servers.delete(mode);
    await follower.until(() => (follower.documents.has(`acme/${mode}`) ? undefined : true), 10_000);
    assert.equal((await follower.ensure('acme/one', 0)).object, 'ensure');
    assert.equal((await gateway.gateway.report('acme/tsoauth', 1, 'invalid_client')).verdict, 'stale');
    assert.equal((await gateway.gateway.document('acme/one')).server, 'one');
    assert.equal(follower.staleSince, undefined);
    stop.abort();
    await following;
  }
  const anonymous = new Registry({ urls: real.url, key: 'wrong' });
  await assert.rejects(anonymous.gateway.document('acme/one'), status(401));
  await assert.rejects(new Registry({ urls: 'http://127.0.0.1:9', key: 'x' }).gateway.page(0), status(0));
  for (const slug of ['one', 'two', 'tsoauth']) await registry.servers.delete(slug);
  for (const slug of ['tslib', 'tsoauth']) await registry.integrations.delete(slug);
});

const REQUESTS = { Python: ['pylib', PYTHON, here('../api.py')], Rust: ['rslib', join(dirname(BINARY), 'rust-client-api')] };
for (const [language, [slug, program, ...parameters]] of Object.entries(REQUESTS)) {
  test(`${language}: requests`, async (t) => {
    const settings = { REGISTRY_URLS: await recorded(t, language), REGISTRY_KEY: real.admin, REGISTRY_GATEWAY_KEY: real.gateway, PYTHONPATH: here('../../../clients/python'), PYTHONDONTWRITEBYTECODE: '1' };
    const { stdout } = await run(program, parameters, { env: { ...process.env, ...settings }, timeout: 60_000 });
    const gateway = { url: `https://mcp.example.com/${slug}`, paged: true, followed: true, ensured: true, verdict: 'stale' };
    const configuration = { oauth_client_metadata: { client_name: 'Acme' } };
    const wanted = { late: 412, name: language, servers: [slug], description: `by ${language}`, integrations: true, configuration, finding: 'wrong_type', role: 403, gateway, deleted: true };
    assert.deepEqual(JSON.parse(stdout), wanted);
  });
}

const FOLLOWERS = {
  Python: [PYTHON, here('../../../docs/examples/follower.py')],
  Rust: [join(dirname(BINARY), 'mcp-registry-follow')],
};
for (const [language, command] of Object.entries(FOLLOWERS)) {
  for (const mode of ['poll', 'stream']) {
    test(`${language}: a follower, ${mode}`, async (t) => {
      const slug = `${language}-${mode}`.toLowerCase();
      const keyFile = join(folder, slug);
      await writeFile(keyFile, real.gateway);
      await call(real, real.admin, 'POST', '/v1/mcp-integrations', integration(slug));
      await call(real, real.admin, 'POST', '/v1/mcp-servers', server(slug));
      const follower = drive(command, { REGISTRY_URLS: `http://127.0.0.1:9,${await recorded(t, language)}`, REGISTRY_KEY_FILE: keyFile, FOLLOW_MODE: mode });
      t.after(() => follower.stop());
      await follower.event((event) => event.event === 'ready');
      const held = async (fits, what) => until(async () => fits((await follower.ask('show', 'show')).documents[`acme/${slug}`]), what);
      await held((one) => one?.url === `https://mcp.example.com/${slug}`, 'the document');
      await call(real, real.admin, 'PUT', `/v1/mcp-integrations/${slug}`, { configurations: { headers: { 'x-mode': mode } } });
      await held((one) => one?.headers?.['x-mode'] === mode, 'the change');
      await call(real, real.admin, 'DELETE', `/v1/mcp-servers/${slug}`);
      await held((one) => one === undefined, 'the end');
    });
  }
}
