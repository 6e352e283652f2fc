// Calls through openapi-fetch with the types of openapi-typescript.
import assert from 'node:assert/strict';
import createClient from 'openapi-fetch';
import type { components, paths } from './api';

const [url, key] = process.argv.slice(2) as [string, string];
const client = createClient<paths>({ baseUrl: url, headers: { 'x-portkey-api-key': key } });
const configurations: components['schemas']['AdvancedConfiguration'] = {
  oauth_client_metadata: { client_name: 'Acme', contacts: ['security@acme.com'] },
  forward_headers: ['X-Request-Id', { from: 'X-Tenant', to: 'X-Upstream-Tenant' }],
};

async function main(): Promise<void> {
  const made = await client.POST('/v1/mcp-integrations', {
    body: { name: 'Typed', slug: 'typed-1', url: 'https://mcp.example/mcp', auth_type: 'oauth_auto', transport: 'http', configurations },
  });
  assert.equal(made.data?.slug, 'typed-1', JSON.stringify(made.error));
  const path = { integration: 'typed-1' };
  const read = await client.GET('/v1/mcp-integrations/{integration}', { params: { path } });
  assert.equal(read.data?.configurations?.oauth_client_metadata?.client_name, 'Acme');
  assert.deepEqual(read.data?.configurations?.forward_headers, configurations.forward_headers);
  const listed = await client.GET('/v1/mcp-integrations', { params: { query: { search: 'typed-1' } } });
  assert.deepEqual(listed.data?.data.map((one) => one.slug), ['typed-1']);
  const refused = await client.PUT('/v1/mcp-integrations/{integration}', { params: { path }, body: { name: '' } });
  const problem: components['schemas']['Problem'] | undefined = refused.error;
  assert.deepEqual([problem?.status, problem?.errors[0]?.pointer], [422, '/name']);
  const gone = await client.DELETE('/v1/mcp-integrations/{integration}', { params: { path } });
  assert.equal(gone.data?.success, true);
}

void main();
