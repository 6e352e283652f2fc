// A gateway on the registry's API and the official MCP SDK. Set REGISTRY_URL and REGISTRY_KEY (role gateway).
import { auth, type OAuthClientProvider, UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { InvalidClientError, UnauthorizedClientError } from '@modelcontextprotocol/sdk/server/auth/errors.js';

export const documents = new Map<string, any>(); // the newest document of each "workspace/server"
const tokens = new Map<string, any>(); // by user and client: tokens of one generation are useless for another
const pause = (ms: number) => new Promise((resume) => setTimeout(resume, ms));

async function ask(path: string, body?: object, signal?: AbortSignal): Promise<any> {
  const headers = { authorization: `Bearer ${process.env.REGISTRY_KEY}`, 'content-type': 'application/json' };
  const answer = await fetch(process.env.REGISTRY_URL + path, { method: body ? 'POST' : 'GET', headers, body: body && JSON.stringify(body), signal });
  return answer.status === 404 ? undefined : answer.json();
}
async function fetchAll(since = 0): Promise<number> {
  const page = await ask(`/v1/gateway/servers?since=${since}`);
  for (const one of page.data) documents.set(`${one.workspace}/${one.server}`, one);
  return page.has_more ? fetchAll(page.revision) : page.revision;
}
async function refresh(name: string, query = ''): Promise<any> {
  const document = await ask(`/v1/gateway/servers/${name}${query}`);
  document ? documents.set(name, document) : documents.delete(name);
  return document;
}
export async function follow(signal: AbortSignal): Promise<void> { // until the gateway stops
  for (let since = await fetchAll(); !signal.aborted;) {
    const told = await ask(`/v1/gateway/changes?since=${since}&wait=30`, undefined, signal).catch(() => undefined);
    if (!told?.changes) { await pause(1000); continue; } // better: ask another replica
    if (told.reset) documents.clear();
    for (const { event, workspace, server, revision } of told.changes) {
      if (event === 'deleted') documents.delete(`${workspace}/${server}`);
      if (event === 'changed') await refresh(`${workspace}/${server}`, `?at_least=${revision}`);
    }
    since = told.reset ? await fetchAll() : told.revision;
  }
}
export async function connect(name: string, user: string, consent: (url: URL, callback: string) => Promise<string>): Promise<Client> {
  for (let tries = 0; ; tries++) {
    let document = documents.get(name) ?? await refresh(name); // one snapshot for the whole flow
    if (!document?.client) document = await ask(`/v1/gateway/servers/${name}/ensure`, { wait: 20 });
    if (!document?.client) throw new Error(`${name} has no client yet: ${document?.detail ?? document?.state}`);
    const { client, authorization_server, resource, scope, url, generation } = document, mine = `${user} ${client.issuer} ${client.client_id}`;
    let verifier = '', signIn: URL | undefined;
    const authProvider: OAuthClientProvider = { // no saveClientInformation: the SDK cannot register a client of its own
      redirectUrl: client.redirect_uris[0], clientMetadata: client, clientInformation: () => client,
      tokens: () => tokens.get(mine), saveTokens: (given) => { tokens.set(mine, given); }, redirectToAuthorization: (to) => { signIn = to; },
      codeVerifier: () => verifier, saveCodeVerifier: (made) => { verifier = made; },
      discoveryState: () => ({ authorizationServerUrl: client.issuer, authorizationServerMetadata: authorization_server, resourceMetadata: { resource } }),
    };
    try {
      if (!tokens.has(mine)) await auth(authProvider, { serverUrl: url, scope }); // `consent` returns the code, `state` and `iss` checked
      if (signIn) await auth(authProvider, { serverUrl: url, authorizationCode: await consent(signIn, client.redirect_uris[0]) });
      const session = new Client({ name: 'gateway', version: '1.0.0' });
      await session.connect(new StreamableHTTPClientTransport(new URL(url), { authProvider }));
      return session;
    } catch (error) {
      tokens.delete(mine);
      const refused = error instanceof InvalidClientError || error instanceof UnauthorizedClientError;
      if (tries === 3 || !(refused || error instanceof UnauthorizedError)) throw error;
      if (refused) await ask(`/v1/gateway/servers/${name}/report`, { generation, error: 'invalid_client' });
      for (let waited = 0; refused && waited < 20_000 && documents.get(name)?.generation === generation; waited += 100) await pause(100);
    }
  }
}
