// Calls through the client of openapi-generator, typescript-axios.
import assert from 'node:assert/strict';
import { isAxiosError } from 'axios';
import { Configuration, IntegrationsApi } from './client';
import type { AdvancedConfiguration, Problem } from './client';

const [url, key] = process.argv.slice(2) as [string, string];
const api = new IntegrationsApi(new Configuration({ basePath: url, apiKey: key }));
const configurations: AdvancedConfiguration = {
  oauth_client_metadata: { client_name: 'Acme', contacts: ['security@acme.com'] },
  forward_headers: ['X-Request-Id', { from: 'X-Tenant', to: 'X-Upstream-Tenant' }],
};

async function main(): Promise<void> {
  const made = await api.createIntegration({
    name: 'Typed', slug: 'typed-3', url: 'https://mcp.example/mcp', auth_type: 'oauth_auto', transport: 'http', configurations,
  });
  assert.equal(made.data.slug, 'typed-3');
  const read = await api.readIntegration('typed-3');
  assert.equal(read.data.configurations?.oauth_client_metadata?.client_name, 'Acme');
  assert.deepEqual(read.data.configurations?.forward_headers, configurations.forward_headers);
  const listed = await api.listIntegrations('typed-3');
  assert.deepEqual(listed.data.data.map((one) => one.slug), ['typed-3']);
  const refused: unknown = await api.updateIntegration('typed-3', { name: '' }).catch((error: unknown) => error);
  assert.ok(isAxiosError<Problem>(refused));
  assert.deepEqual([refused.response?.data.status, refused.response?.data.errors[0]?.pointer], [422, '/name']);
  const gone = await api.deleteIntegration('typed-3');
  assert.equal(gone.data.success, true);
}

void main();
