// npm oidc-provider as an authorization server with RFC 7591 and RFC 7592. Settings: README.md.
import { randomBytes } from 'node:crypto';
import Provider from 'oidc-provider';
import { list, say, serve } from './lib/peer.mjs';

const { ISSUER_PATH: path = '', INITIAL_ACCESS_TOKEN: initialAccessToken, MANAGE, ROTATE, CIMD } = process.env;
const scopes = list('SCOPES', ' ', 'mcp:read mcp:write mcp:tools');

// The resource server's own client, so that the protected MCP server can ask whose token it got (RFC 7662).
const introspector = { client_id: 'resource-server', client_secret: randomBytes(24).toString('hex') };

await serve((base) => {
  const issuer = base + path;
  const provider = new Provider(issuer, {
    // The package fetches client documents from public addresses only; here they are on loopback.
    fetch: (url, { dispatcher: _publicOnly, ...options }) => fetch(url, options),
    scopes: ['openid', 'offline_access', ...scopes],
    clients: [{ ...introspector, redirect_uris: [], response_types: [], grant_types: [] }],
    cookies: { keys: [randomBytes(16).toString('hex')] },
    // Every client that registered the grant gets refresh tokens, also without `offline_access`.
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    findAccount: (_ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
    ttl: { AccessToken: 3600, AuthorizationCode: 60, Grant: 3600, IdToken: 3600, Interaction: 600, RefreshToken: 86400, Session: 3600 },
    features: {
      ...(CIMD === '1' ? { clientIdMetadataDocument: { enabled: true, ack: 'draft-02' } } : {}),
      devInteractions: { enabled: true },
      introspection: { enabled: true, allowedPolicy: (_ctx, client) => client.clientId === introspector.client_id },
      registration: { enabled: true, initialAccessToken: initialAccessToken ?? false },
      registrationManagement: { enabled: MANAGE !== '0', rotateRegistrationAccessToken: ROTATE !== '0' },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: async () => true,
        getResourceServerInfo: async (_ctx, resource) => ({
          audience: resource, scope: scopes.join(' '), accessTokenFormat: 'opaque', accessTokenTTL: 3600,
        }),
      },
    },
  });
  const ids = new Set();
  provider.on('registration_create.success', (ctx, client) => ids.add(client.clientId));
  provider.on('registration_create.success', (ctx, client) => say('registered', { client_id: client.clientId, request: ctx.oidc.body }));
  provider.on('registration_update.success', (ctx, client) => {
    const { client_secret: _secret, ...request } = ctx.oidc.body;
    say('updated', { client_id: client.clientId, request });
  });
  provider.on('registration_delete.success', (_ctx, client) => say('deleted', { client_id: client.clientId }));
  provider.on('registration_create.error', (ctx, error) => say('refused', { status: error.statusCode ?? 500, error: error.error, detail: error.error_description, request: ctx.oidc?.body }));

  const clients = {
    list: async () => (await Promise.all([...ids].map((id) => provider.Client.find(id)))).filter(Boolean).map((client) => client.metadata()),
    forget: (id) => provider.Client.adapter.destroy(id),
  };
  const callback = provider.callback();
  return { handler: path ? below(path, callback) : callback, clients, ready: { issuer, registration_endpoint: `${issuer}/reg`, introspection: { endpoint: `${issuer}/token/introspection`, ...introspector } } };
});

// An issuer with a path: the provider is mounted below it, and RFC 8414 §3.1 puts the well-known part before the path.
function below(mount, callback) {
  const inserted = `/.well-known/oauth-authorization-server${mount}`;
  return (request, response) => {
    const wanted = request.url.split('?', 1)[0];
    if (wanted === inserted) {
      request.url = '/.well-known/oauth-authorization-server';
      request.originalUrl = mount + request.url; // the provider finds its mount path by this
    } else if (wanted.startsWith(`${mount}/`)) {
      request.originalUrl = request.url;
      request.url = request.url.slice(mount.length);
    } else {
      response.statusCode = 404;
      return response.end('Nothing is here.');
    }
    return callback(request, response);
  };
}
