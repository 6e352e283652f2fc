// A gateway on the registry, its client library and the official MCP SDK. Any number of these processes share one folder.
//   GET  /mcp/WORKSPACE/SERVER/tools          lists tools; 401 with `authorize`, a URL for the user's browser, until the user has signed in
//   POST /mcp/WORKSPACE/SERVER/tools/TOOL     calls one, the JSON body holds its arguments
//   GET  /oauth/upstream-callback             where authorization servers send the user back
import { exchangeAuthorization, refreshAuthorization, startAuthorization } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { InvalidGrantError, OAuthError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import type { AuthorizationServerMetadata, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js';
import { type AssertionSigner, authenticateClient, Follower, type GatewayDocument, Registry } from 'mcp-registry-client';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Store } from './store.js';

const { REGISTRY_URLS = 'http://127.0.0.1:8080', REGISTRY_KEY_FILE = 'registry.key', GATEWAY_STORE = 'gateway-store', PORT = '8787' } = process.env;
const FLOW_SECONDS = 600;
const TOKEN_SECONDS = 90 * 24 * 3600;
/** Tokens that expire this soon are refreshed before they are used, in milliseconds. */
const REFRESH_BEFORE = 60_000;

/** One sign-in on its way: all that the callback needs, so that another process can answer it. */
interface Flow { user: string; name: string; generation: number; clientId: string; issuer: string; verifier: string }
/** The tokens of one user at one server, and the client that they belong to: another client cannot refresh them. */
interface Held { generation: number; clientId: string; issuer: string; tokens: OAuthTokens; expires: number }
/** What a user is told. */
class Answer extends Error { constructor(readonly status: number, readonly body: object) { super(); } }

const store = new Store(GATEWAY_STORE);
const registry = new Registry({ urls: REGISTRY_URLS.split(','), key: () => readFileSync(REGISTRY_KEY_FILE, 'utf8').trim() });
const follower = new Follower(registry, { onError: (error, pause) => console.error(`${error}; the next attempt comes in ${Math.round(pause)} ms`) });
// A gateway with clients that authenticate by a signed JWT gives a function here.
const sign: AssertionSigner | undefined = undefined;

/** Your own sign-in belongs here: the user of this request, never a value that the caller may choose. */
function userOf(request: IncomingMessage): string {
  const user = request.headers['x-user'];
  if (typeof user !== 'string') throw new Answer(401, { error: 'sign in to the gateway first' });
  return user;
}

/** One snapshot for all that follows: its client, its authorization server, its resource. */
async function documentOf(name: string): Promise<GatewayDocument> {
  const held = follower.documents.get(name);
  if (!held) throw new Answer(404, { error: `there is no ${name}` });
  if (held.status !== 'active') throw new Answer(403, { error: held.reason });
  if (['none', 'headers'].includes(held.auth_type)) return held;
  if (held.auth_type !== 'oauth_auto') throw new Answer(501, { error: `this example does not speak ${held.auth_type}` });
  const document = await follower.ensure(name, 20);
  if (!('revision' in document)) throw new Answer(503, { error: `${name} has no client yet`, detail: document.detail ?? document.state });
  return document;
}

function oauthOf(document: GatewayDocument) {
  const { client, authorization_server: server } = document;
  if (!client || !server) throw new Answer(503, { error: `${document.server} has no client` });
  return {
    issuer: client.issuer,
    client,
    callback: client.redirect_uris?.[0] ?? '',
    parameters: {
      metadata: server as unknown as AuthorizationServerMetadata,
      clientInformation: client,
      ...(document.resource ? { resource: new URL(document.resource) } : {}),
      addClientAuthentication: (headers: Headers, body: URLSearchParams) => authenticateClient(document, headers, body, sign),
    },
  };
}

/** Begins a sign-in. Where `shared_upstream_client` is true, ask for the user's consent on a page of yours before this. */
async function authorize(user: string, document: GatewayDocument): Promise<URL> {
  const { client, callback, parameters } = oauthOf(document);
  const state = randomBytes(32).toString('base64url');
  const scope = document.scope ? { scope: document.scope } : {};
  const { authorizationUrl, codeVerifier } = await startAuthorization(client.issuer, { ...parameters, ...scope, redirectUrl: callback, state });
  for (const [key, value] of Object.entries(document.authorization_params ?? {})) authorizationUrl.searchParams.set(key, String(value));
  const flow: Flow = { user, name: `${document.workspace}/${document.server}`, generation: document.generation ?? 0, clientId: client.client_id, issuer: client.issuer, verifier: codeVerifier };
  await store.set(`flow ${state}`, flow, FLOW_SECONDS);
  return authorizationUrl;
}

/** The end of a sign-in, in whichever process it arrives. */
async function callback(user: string, answer: URLSearchParams): Promise<Flow> {
  // `state` works once, and only for the user who began.
  const flow = await store.take<Flow>(`flow ${answer.get('state')}`);
  if (!flow || flow.user !== user) throw new Answer(400, { error: 'this sign-in is unknown, was used, has expired, or is of another user' });
  const document = await follower.generation(flow.name, flow.generation);
  if (document?.client?.client_id !== flow.clientId) throw new Answer(409, { error: 'the client was replaced meanwhile; sign in again' });
  // RFC 9207: an answer of another authorization server is refused before anything of it is used.
  const promised = document.authorization_server?.['authorization_response_iss_parameter_supported'] === true;
  const iss = answer.get('iss');
  if (iss === null ? promised : iss !== flow.issuer) throw new Answer(400, { error: 'the answer is of another authorization server' });
  const code = answer.get('code');
  if (!code) throw new Answer(403, { error: answer.get('error') ?? 'no code', detail: answer.get('error_description') });
  const { callback: redirectUri, parameters } = oauthOf(document);
  const tokens = await reporting(document, () => exchangeAuthorization(flow.issuer, { ...parameters, redirectUri, authorizationCode: code, codeVerifier: flow.verifier }));
  await keep(flow.user, flow.name, document, tokens);
  return flow;
}

/** The error of a token endpoint that concerns the client is reported, and the user signs in with the next client. */
async function reporting<T>(document: GatewayDocument, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof OAuthError) || !['invalid_client', 'unauthorized_client'].includes(error.errorCode)) throw error;
    await follower.report(document, error.errorCode);
    await follower.renewed(document, 20_000).catch(() => undefined);
    throw new Answer(409, { error: 'the client does not work and is being replaced; sign in again' });
  }
}

async function keep(user: string, name: string, document: GatewayDocument, tokens: OAuthTokens): Promise<Held> {
  const { client_id: clientId = '', issuer = '' } = document.client ?? {};
  const held: Held = { generation: document.generation ?? 0, clientId, issuer, tokens, expires: Date.now() + (tokens.expires_in ?? 3600) * 1000 };
  await store.set(`tokens ${user} ${name}`, held, TOKEN_SECONDS);
  return held;
}

/** The user's access token, refreshed where it has to be. `useless` is one that the upstream refused. */
async function accessToken(user: string, name: string, useless?: string): Promise<string | undefined> {
  const fits = (held?: Held) => held && held.expires > Date.now() + REFRESH_BEFORE && held.tokens.access_token !== useless;
  const key = `tokens ${user} ${name}`;
  const first = await store.get<Held>(key);
  if (!first || fits(first)) return first?.tokens.access_token;
  // One process refreshes; where refresh tokens work once, a second one would end the user's session.
  return store.exclusively(key, async () => {
    const held = await store.get<Held>(key);
    if (!held || fits(held)) return held?.tokens.access_token;
    // The client that the tokens belong to, current or draining; when it is gone, so are they.
    const document = await follower.generation(name, held.generation);
    if (document?.client?.client_id === held.clientId && held.tokens.refresh_token) {
      const refreshToken = held.tokens.refresh_token;
      const refresh = () => refreshAuthorization(held.issuer, { ...oauthOf(document).parameters, refreshToken });
      const tokens = await reporting(document, refresh).catch((error) => {
        if (error instanceof InvalidGrantError || error instanceof Answer) return undefined;
        throw error; // the authorization server is away: the tokens are kept
      });
      if (tokens) return (await keep(user, name, document, tokens)).tokens.access_token;
    }
    await store.delete(key);
    return undefined;
  });
}

async function withTools<T>(user: string, name: string, use: (client: Client) => Promise<T>): Promise<T> {
  const document = await documentOf(name);
  const oauth = document.auth_type === 'oauth_auto';
  for (let token = oauth ? await accessToken(user, name) : '', tries = 0; token !== undefined && tries < 2; tries += 1) {
    const client = new Client({ name: 'gateway', version: '1.0.0' });
    const headers = { ...document.headers, ...(oauth ? { authorization: `Bearer ${token}` } : {}), ...document.passthrough_headers };
    try {
      await client.connect(new StreamableHTTPClientTransport(new URL(document.url), { requestInit: { headers } }) as Parameters<Client['connect']>[0]);
      return await use(client);
    } catch (error) {
      if ((error as { code?: number }).code !== 401 || !oauth) throw error;
      token = await accessToken(user, name, token);
    } finally {
      await client.close();
    }
  }
  throw new Answer(401, { authorize: await authorize(user, document) });
}

async function answer(request: IncomingMessage): Promise<object> {
  const url = new URL(request.url ?? '/', 'http://gateway');
  if (url.pathname === '/healthz') return { servers: follower.documents.size, stale_since: follower.staleSince ?? null };
  const user = userOf(request);
  if (url.pathname === '/oauth/upstream-callback') return { signed_in: (await callback(user, url.searchParams)).name };
  const [, name = '', tool] = /^\/mcp\/([^/]+\/[^/]+)\/tools(?:\/(.+))?$/.exec(url.pathname) ?? [];
  if (!name) throw new Answer(404, { error: 'not found' });
  if (!tool) return withTools(user, name, (client) => client.listTools());
  let body = '';
  for await (const chunk of request) body += chunk;
  return withTools(user, name, (client) => client.callTool({ name: tool, arguments: JSON.parse(body || '{}') }));
}

const stop = new AbortController();
const following = follower.run(stop.signal);
await follower.ready();
const server = createServer(async (request, response) => {
  const told = await answer(request).then((body) => new Answer(200, body), (error) => (error instanceof Answer ? error : new Answer(502, { error: String(error) })));
  response.writeHead(told.status, { 'content-type': 'application/json' }).end(JSON.stringify(told.body));
});
server.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`));
process.on('SIGTERM', async () => { stop.abort(); server.close(); server.closeIdleConnections(); await following; });
