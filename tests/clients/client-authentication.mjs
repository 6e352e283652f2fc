// A client authenticates by the method of its document and no other, in each language alike. Rust has the same table beside its code.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { here, installed, run } from './lib/build.mjs';

const ASSERTION = { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: 'jwt of a:b for https://as.example' };
// method, client_secret, what is added: the header, the form.
const METHODS = [
  ['none', undefined, null, { client_id: 'a:b' }],
  ['client_secret_post', 's p+', null, { client_id: 'a:b', client_secret: 's p+' }],
  ['client_secret_basic', 's p+', `Basic ${Buffer.from('a%3Ab:s+p%2B').toString('base64')}`, {}],
  ['private_key_jwt', undefined, null, { client_id: 'a:b', ...ASSERTION }],
  ['tls_client_auth', undefined, 'unknown', {}],
];
const documentOf = (method, secret) => ({ workspace: 'acme', server: 'notes', client: { client_id: 'a:b', client_secret: secret, token_endpoint_auth_method: method, issuer: 'https://as.example' } });

let library;
before(async () => { library = await installed(); });
after(() => library.remove());

test('client authentication: TypeScript', async () => {
  const { authenticateClient } = await import(join(library.folder, 'node_modules/mcp-registry-client/dist/index.js'));
  const sign = ({ clientId, audience }) => `jwt of ${clientId} for ${audience}`;
  for (const [method, secret, header, form] of METHODS) {
    const [headers, body] = [new Headers(), new URLSearchParams()];
    const done = authenticateClient(documentOf(method, secret), headers, body, sign);
    if (header === 'unknown') {
      await assert.rejects(done, /tls_client_auth/);
      continue;
    }
    await done;
    assert.equal(headers.get('authorization'), header, method);
    assert.deepEqual(Object.fromEntries(body), form, method);
  }
  await assert.rejects(authenticateClient(documentOf('private_key_jwt'), new Headers(), new URLSearchParams()), /signer/);
});

const PYTHON = `
import asyncio, json, sys
from mcp_registry_client import authenticate_client

async def sign(assertion):
    return f"jwt of {assertion.client_id} for {assertion.audience}"

async def main():
    told = []
    for document in json.loads(sys.argv[1]):
        headers, form = {}, {}
        try:
            await authenticate_client(document, headers, form, sign)
            told.append([headers.get("authorization"), form])
        except ValueError:
            told.append(["unknown", {}])
    print(json.dumps(told))

asyncio.run(main())
`;

test('client authentication: Python', async () => {
  const documents = METHODS.map(([method, secret]) => documentOf(method, secret));
  const env = { ...process.env, PYTHONPATH: here('../../../clients/python'), PYTHONDONTWRITEBYTECODE: '1' };
  const { stdout } = await run(process.env.MCP_REGISTRY_TEST_PYTHON, ['-c', PYTHON, JSON.stringify(documents)], { env });
  // An unknown method leaves nothing behind that could be sent.
  assert.deepEqual(JSON.parse(stdout), METHODS.map(([, , header, form]) => [header, form]));
});
