import type { GatewayDocument } from './types.js';

/** Gives a signed JWT (RFC 7523 §2.2) of this client for this audience. The holder of the private key implements it. */
export type AssertionSigner = (request: { clientId: string; audience: string; document: GatewayDocument }) => string | Promise<string>;

/** Adds the client's authentication to a request to the token endpoint, by the method of the document and no other. */
export async function authenticateClient(document: GatewayDocument, headers: Headers, body: URLSearchParams, sign?: AssertionSigner): Promise<void> {
  const { client } = document;
  if (!client) throw new Error(`${document.workspace}/${document.server} has no client`);
  const method = client.token_endpoint_auth_method;
  if (method === 'client_secret_basic') {
    // Both are form-encoded first (RFC 6749 §2.3.1).
    headers.set('authorization', `Basic ${btoa(`${form(client.client_id)}:${form(client.client_secret ?? '')}`)}`);
    return;
  }
  body.set('client_id', client.client_id);
  if (method === 'client_secret_post') {
    body.set('client_secret', client.client_secret ?? '');
  } else if (method === 'private_key_jwt') {
    if (!sign) throw new Error('private_key_jwt needs a signer of assertions');
    body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
    body.set('client_assertion', await sign({ clientId: client.client_id, audience: client.issuer, document }));
  } else if (method !== 'none') {
    throw new Error(`this library does not know the authentication method ${method}`);
  }
}

function form(value: string): string {
  return new URLSearchParams({ value }).toString().slice('value='.length);
}
