// A real MCP client (TypeScript SDK) in the place of a gateway: uses a client that somebody else registered, never registers.
//   node mcp-client.mjs MCP_URL GATEWAY_DOCUMENT.json
// The document is what `GET /v1/gateway/servers/{workspace}/{server}` answers; its member `client` is used as it stands.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { OAuthClientInformationFullSchema } from '@modelcontextprotocol/sdk/shared/auth.js';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { authorize } from './lib/user-agent.mjs';

const [mcpUrl, file] = process.argv.slice(2);
if (!file) {
  console.error('usage: node mcp-client.mjs MCP_URL GATEWAY_DOCUMENT.json');
  process.exit(2);
}

class Gateway {
  constructor(client) {
    this.client = client;
    this.state_ = randomUUID();
  }
  get redirectUrl() { return this.client.redirect_uris[0]; }
  get clientMetadata() { return { redirect_uris: this.client.redirect_uris, scope: this.client.scope }; }
  state() { return this.state_; }
  // No saveClientInformation: the SDK has no way to register, and says so where it would.
  clientInformation() { return this.client; }
  tokens() { return this.tokens_; }
  saveTokens(tokens) { this.tokens_ = tokens; }
  codeVerifier() { return this.verifier; }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  redirectToAuthorization(url) { this.authorizationUrl = url; }
  discoveryState() { return this.discovery; }
  saveDiscoveryState(discovery) { this.discovery = discovery; }
}

async function connect(provider) {
  const client = new Client({ name: 'gateway', version: '1.0.0' });
  const transport = new StreamableHTTPClientTransport(new URL(mcpUrl), { authProvider: provider });
  try {
    await client.connect(transport);
    return client;
  } catch (error) {
    if (!(error instanceof UnauthorizedError) || !provider.authorizationUrl) throw error;
  }
  const back = await authorize(provider.authorizationUrl, provider.redirectUrl);
  const answer = back.searchParams;
  if (answer.get('error')) throw new Error(`The authorization server answered ${answer.get('error')}: ${answer.get('error_description')}`);
  if (answer.get('state') !== provider.state_) throw new Error('The authorization server returned another state.');
  await transport.finishAuth(answer.get('code'));
  const second = new Client({ name: 'gateway', version: '1.0.0' });
  await second.connect(new StreamableHTTPClientTransport(new URL(mcpUrl), { authProvider: provider }));
  return second;
}

try {
  const document = JSON.parse(readFileSync(file, 'utf8'));
  if (!document.client) throw new Error(`The gateway document has no member "client": ${JSON.stringify(document.registration)}`);
  OAuthClientInformationFullSchema.parse(document.client);
  const provider = new Gateway(document.client);
  const client = await connect(provider);
  const { tools } = await client.listTools();
  let caller;
  if (tools.some((tool) => tool.name === 'whoami')) {
    const answer = await client.callTool({ name: 'whoami', arguments: {} });
    caller = JSON.parse(answer.content[0].text);
    if (caller.client_id !== document.client.client_id) throw new Error(`The MCP server saw client ${caller.client_id}.`);
  }
  await client.close();
  const { token_type, scope, refresh_token } = provider.tokens_;
  console.log(JSON.stringify({ tools: tools.map((tool) => tool.name), caller, token: { token_type, scope, refresh_token: refresh_token !== undefined } }));
  process.exit(0);
} catch (error) {
  console.error(error.stack ?? error);
  process.exit(1);
}
