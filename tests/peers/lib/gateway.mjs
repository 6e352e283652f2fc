// A gateway as far as OAuth goes, on the MCP TypeScript SDK: signs in with a client that another party registered. It has no
// way to register one itself.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { randomUUID } from 'node:crypto';
import { authorize } from './user-agent.mjs';

// How often a user would agree before asking what is wrong.
const MOST_SIGN_INS = 3;

// What the SDK asks of a gateway (`OAuthClientProvider`). Without `saveClientInformation` the SDK cannot register, and says
// so where it would.
class Provider {
  constructor(client) {
    this.client = client;
    this.state_ = randomUUID();
  }
  get redirectUrl() { return this.client.redirect_uris[0]; }
  get clientMetadata() { return { redirect_uris: this.client.redirect_uris, grant_types: this.client.grant_types, scope: this.client.scope }; }
  state() { return this.state_; }
  clientInformation() { return this.client; }
  tokens() { return this.tokens_; }
  saveTokens(tokens) { this.tokens_ = tokens; }
  codeVerifier() { return this.verifier; }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  redirectToAuthorization(url) { this.authorizationUrl = url; }
  discoveryState() { return this.discovery; }
  saveDiscoveryState(discovery) { this.discovery = discovery; }
}

/** One user's session with one MCP server. `client` is the member of that name of a gateway document. */
export class Session {
  constructor(mcpUrl, client) {
    this.url = new URL(mcpUrl);
    this.provider = new Provider(client);
    this.signIns = 0;
  }

  get tokens() { return this.provider.tokens_; }

  async connect() {
    await this.#signingIn(async () => {
      this.transport = new StreamableHTTPClientTransport(this.url, { authProvider: this.provider });
      this.client = new Client({ name: 'gateway', version: '1.0.0' });
      await this.client.connect(this.transport);
    });
  }

  async listTools() {
    return (await this.#signingIn(() => this.client.listTools())).tools;
  }

  async callTool(name) {
    return this.#signingIn(() => this.client.callTool({ name, arguments: {} }));
  }

  async close() {
    await this.client.close();
  }

  // Whenever the server wants a user to sign in, or to grant more, the user does, and what was asked is asked again.
  async #signingIn(ask) {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (!(error instanceof UnauthorizedError) || !this.provider.authorizationUrl) throw error;
        if (this.signIns === MOST_SIGN_INS) throw new Error(`Still not enough after ${MOST_SIGN_INS} sign-ins.`, { cause: error });
        this.signIns += 1;
        await this.#signIn();
      }
    }
  }

  async #signIn() {
    const back = await authorize(this.provider.authorizationUrl, this.provider.redirectUrl);
    this.provider.authorizationUrl = undefined;
    const answer = back.searchParams;
    if (answer.get('error')) throw new Error(`The authorization server answered ${answer.get('error')}: ${answer.get('error_description')}`);
    if (answer.get('state') !== this.provider.state_) throw new Error('The authorization server returned another state.');
    await this.transport.finishAuth(answer.get('code'));
  }
}
