// The MCP TypeScript SDK's authorization server router, with the knobs that its example lacks. Settings: README.md.
import { mcpAuthRouter } from '@modelcontextprotocol/sdk/server/auth/router.js';
import { InvalidGrantError, InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import express from 'express';
import { randomUUID } from 'node:crypto';
import { list, say, serve } from './lib/peer.mjs';

const { SECRET_EXPIRY, RATE_MAX, RATE_WINDOW_MS } = process.env;
const scopes = list('SCOPES', ' ', 'mcp:read mcp:write mcp:tools');
const clients = new Map();
const codes = new Map();
const tokens = new Map();

const clientsStore = {
  getClient: (id) => clients.get(id),
  registerClient(client) {
    clients.set(client.client_id, client);
    const { client_id, client_id_issued_at: _at, client_secret: _secret, client_secret_expires_at: _expires, ...request } = client;
    say('registered', { client_id, request });
    return client;
  },
};

function issue(client, granted) {
  const token = { clientId: client.client_id, scopes: granted, expiresAt: Math.floor(Date.now() / 1000) + 3600 };
  const [access_token, refresh_token] = [randomUUID(), randomUUID()];
  tokens.set(access_token, token);
  tokens.set(refresh_token, token);
  return { access_token, refresh_token, token_type: 'bearer', expires_in: 3600, scope: granted.join(' ') };
}

function take(store, key, error) {
  const found = store.get(key);
  if (!found) throw error;
  store.delete(key);
  return found;
}

const provider = {
  clientsStore,
  async authorize(_client, params, response) {
    const code = randomUUID();
    codes.set(code, params);
    const back = new URL(params.redirectUri);
    back.searchParams.set('code', code);
    if (params.state) back.searchParams.set('state', params.state);
    response.redirect(back.href);
  },
  async challengeForAuthorizationCode(_client, code) {
    if (!codes.has(code)) throw new InvalidGrantError('unknown code');
    return codes.get(code).codeChallenge;
  },
  async exchangeAuthorizationCode(client, code) {
    return issue(client, take(codes, code, new InvalidGrantError('unknown code')).scopes ?? []);
  },
  async exchangeRefreshToken(client, token, wanted) {
    return issue(client, wanted ?? take(tokens, token, new InvalidGrantError('unknown refresh token')).scopes);
  },
  async verifyAccessToken(token) {
    const found = tokens.get(token);
    if (!found) throw new InvalidTokenError('unknown token');
    return { token, ...found };
  },
  async revokeToken(_client, request) {
    tokens.delete(request.token);
  },
};

await serve((base) => {
  const app = express();
  // RFC 7662 in its smallest form, for the protected MCP server beside this one.
  app.post('/introspect', express.urlencoded({ extended: false }), (request, response) => {
    const found = tokens.get(request.body.token);
    response.json(found ? { active: true, client_id: found.clientId, scope: found.scopes.join(' '), exp: found.expiresAt } : { active: false });
  });
  app.use('/register', (request, response, next) => {
    response.on('finish', () => {
      if (request.method === 'POST' && response.statusCode >= 400) say('refused', { status: response.statusCode });
    });
    next();
  });
  const limit = RATE_MAX === '0' ? false : { windowMs: Number(RATE_WINDOW_MS ?? 3_600_000), max: Number(RATE_MAX ?? 20) };
  const options = { rateLimit: limit, ...(SECRET_EXPIRY === undefined ? {} : { clientSecretExpirySeconds: Number(SECRET_EXPIRY) }) };
  app.use(mcpAuthRouter({ provider, issuerUrl: new URL(base), scopesSupported: scopes, clientRegistrationOptions: options }));
  // The router writes its issuer as a parsed URL: with a trailing slash, unlike the registration endpoint's base.
  const memory = { list: () => [...clients.values()], forget: (id) => clients.delete(id) };
  return { handler: app, clients: memory, ready: { issuer: new URL(base).href, registration_endpoint: `${base}/register`, introspection: { endpoint: `${base}/introspect` } } };
});
