// The clients of the hosted product against the real registry: its SDKs as published, and the calls of its Terraform provider.
// Each has a registry of its own. At the end docs/gateways.md must list what every client called, and how it was answered.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { call, startRegistry } from '../peers/lib/registry.mjs';
import { startPeer } from '../peers/lib/start.mjs';
import { here, run } from './lib/build.mjs';
import { compare, note } from './lib/calls.mjs';
import { terraform } from './lib/terraform.mjs';

const PYTHON = process.env.MCP_REGISTRY_TEST_PYTHON;
const BINARY = process.env.MCP_REGISTRY_TEST_BINARY;

/** A registry with the workspace `acme` and a secret of the operator, and an MCP server that asks for authorization. */
async function surroundings(t) {
  const folder = await mkdtemp(join(tmpdir(), 'hosted-'));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'registry.toml'), '[secrets.linear]\nenv = "LINEAR"\n');
  const registry = await startRegistry(BINARY, folder, { LINEAR: 's3cret' });
  t.after(() => registry.stop());
  await call(registry, registry.admin, 'POST', '/v1/workspaces', { name: 'Acme', slug: 'acme' });
  const mcp = await startPeer('protected-mcp.mjs', { AUTHORIZATION_SERVERS: 'http://127.0.0.1:9' });
  t.after(() => mcp.stop());
  return { base: `${registry.url}/v1`, key: registry.admin, mcpUrl: mcp.ready.mcp_url };
}

const SDKS = { 'PyPI portkey-ai': [PYTHON, here('../../peers/portkey_sdk.py')], 'npm portkey-ai': [process.execPath, here('../../peers/portkey_sdk.mjs')] };
for (const [name, [program, script]] of Object.entries(SDKS)) {
  test(`${name}, unchanged`, async (t) => {
    const { base, key, mcpUrl } = await surroundings(t);
    const { stdout } = await run(program, [script, base, key, 'acme', mcpUrl], { timeout: 120_000 });
    const [, calls] = stdout.match(/^calls (\[.*\])$/m);
    note(name, JSON.parse(calls));
  });
}

test('Terraform provider: its calls', async (t) => {
  const { base, key, mcpUrl } = await surroundings(t);
  note('Terraform provider', await terraform(base, key, mcpUrl));
});

test('the guide lists every call of every client', async () => {
  assert.ok(BINARY);
  await compare({ hosted: [...Object.keys(SDKS), 'Terraform provider'], libraries: ['TypeScript', 'Python', 'Rust'] });
});
