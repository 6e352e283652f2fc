// npm oidc-provider as an organisation's identity provider: people sign in by code with PKCE. Settings: README.md.
import { randomBytes } from 'node:crypto';
import Provider from 'oidc-provider';
import { list, serve } from './lib/peer.mjs';

const { REDIRECT_URI: redirectUri, CLIENT_SECRET: secret, ID_TOKEN_CLAIMS } = process.env;
const groups = list('GROUPS', ',');
// Login → claims over the usual ones, where there is more than one person.
const people = JSON.parse(process.env.PEOPLE ?? '{}');

await serve((base) => {
  const client = {
    client_id: 'mcp-registry',
    redirect_uris: [redirectUri],
    response_types: ['code'],
    grant_types: ['authorization_code'],
    ...(secret ? { client_secret: secret, token_endpoint_auth_method: 'client_secret_basic' } : { token_endpoint_auth_method: 'none' }),
  };
  const provider = new Provider(base, {
    clients: [client],
    cookies: { keys: [randomBytes(16).toString('hex')] },
    scopes: ['openid', 'email', 'profile'],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'groups'] },
    // As the specification has it, claims come from the userinfo endpoint; many providers put them into the ID token.
    conformIdTokenClaims: ID_TOKEN_CLAIMS !== '1',
    pkce: { required: () => true },
    findAccount: (_ctx, id) => ({
      accountId: id,
      claims: async () => ({ sub: id, name: 'Grace Hopper', email: 'grace@acme.com', email_verified: true, groups, ...people[id] }),
    }),
    ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
    features: { devInteractions: { enabled: true }, userinfo: { enabled: true } },
  });
  // Its pages want a font from elsewhere and lack what Chromium asks of a password: neither is what the tests look at.
  provider.use(async (context, next) => {
    await next();
    if (typeof context.body === 'string') {
      context.body = context.body.replace(/@import url\([^)]*\);/g, '').replace('name="password"', '$& autocomplete="off"');
    }
  });
  return { handler: provider.callback(), ready: { issuer: base } };
});
