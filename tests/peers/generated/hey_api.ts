// Calls through the client of @hey-api/openapi-ts.
import assert from 'node:assert/strict';
import { createIntegration, deleteIntegration, listIntegrations, readIntegration, updateIntegration } from './client';
import type { AdvancedConfiguration, Problem } from './client';
import { client } from './client/client.gen';

const [url, key] = process.argv.slice(2) as [string, string];
client.setConfig({ baseUrl: url, headers: { 'x-portkey-api-key': key } });
const configurations: AdvancedConfiguration = {
  oauth_client_metadata: { client_name: 'Acme', contacts: ['security@acme.com'] },
  forward_headers: ['X-Request-Id', { from: 'X-Tenant', to: 'X-Upstream-Tenant' }],
};

async function main(): Promise<void> {
  const made = await createIntegration({
    body: { name: 'Typed', slug: 'typed-2', url: 'https://mcp.example/mcp', auth_type: 'oauth_auto', transport: 'http', configurations },
  });
  assert.equal(made.data?.slug, 'typed-2', JSON.stringify(made.error));
  const path = { integration: 'typed-2' };
  const read = await readIntegration({ path });
  assert.equal(read.data?.configurations?.oauth_client_metadata?.client_name, 'Acme');
  assert.deepEqual(read.data?.configurations?.forward_headers, configurations.forward_headers);
  const listed = await listIntegrations({ query: { search: 'typed-2' } });
  assert.deepEqual(listed.data?.data.map((one) => one.slug), ['typed-2']);
  const refused = await updateIntegration({ path, body: { name: '' } });
  const problem: Problem | undefined = refused.error;
  assert.deepEqual([problem?.status, problem?.errors[0]?.pointer], [422, '/name']);
  const gone = await deleteIntegration({ path });
  assert.equal(gone.data?.success, true);
}

void main();
