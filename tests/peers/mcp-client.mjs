// A real MCP client (TypeScript SDK) in the place of a gateway: uses a client that another party registered, never registers.
//   node mcp-client.mjs MCP_URL GATEWAY_DOCUMENT.json
// The document is what `GET /v1/gateway/servers/{workspace}/{server}` answers; its member `client` is used unchanged.
import { OAuthClientInformationFullSchema } from '@modelcontextprotocol/sdk/shared/auth.js';
import { readFileSync } from 'node:fs';
import { Session } from './lib/gateway.mjs';

const [mcpUrl, file] = process.argv.slice(2);
if (!file) {
  console.error('usage: node mcp-client.mjs MCP_URL GATEWAY_DOCUMENT.json');
  process.exit(2);
}

try {
  const document = JSON.parse(readFileSync(file, 'utf8'));
  if (!document.client) throw new Error(`The gateway document has no member "client": ${JSON.stringify(document.registration)}`);
  OAuthClientInformationFullSchema.parse(document.client);
  const session = new Session(mcpUrl, document.client);
  await session.connect();
  const tools = (await session.listTools()).map((tool) => tool.name);
  let caller;
  if (tools.includes('whoami')) {
    caller = JSON.parse((await session.callTool('whoami')).content[0].text);
    if (caller.client_id !== document.client.client_id) throw new Error(`The MCP server saw client ${caller.client_id}.`);
  }
  await session.close();
  const { token_type, scope, refresh_token } = session.tokens;
  console.log(JSON.stringify({ tools, caller, token: { token_type, scope, refresh_token: refresh_token !== undefined } }));
  process.exit(0);
} catch (error) {
  console.error(error.stack ?? error);
  process.exit(1);
}
