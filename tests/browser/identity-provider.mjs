// An organisation's identity provider (npm oidc-provider, `tests/peers/identity-provider.mjs`) and the way through its pages.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { atEnd, freePort } from './fixture.mjs';

const PEER = fileURLToPath(new URL('../peers/identity-provider.mjs', import.meta.url));

/** Who is known there: by login, what it says of them. */
export const PEOPLE = {
  ada: { name: 'Ada Lovelace', email: 'ada@acme.com', groups: ['platform-admins'] },
  grace: { name: 'Grace Hopper', email: 'grace@acme.com', groups: ['team-production', 'everybody'] },
  edsger: { name: 'Edsger Dijkstra', email: 'edsger@acme.com', groups: ['accounting'] },
};

/** Group → role, as `auth.oidc.groups` has it. */
export const GROUPS = 'platform-admins=admin,team-production=manager@acme-prod,team-support=viewer@support';

/**
 * Starts it, and says how a registry is configured to send people there: `{ environment, stop() }`. With `started: false`
 * there is an address and nobody at it.
 */
export async function identityProvider(t, { started = true, groups = GROUPS } = {}) {
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const peer = started ? await startPeer(t, `${base}/ui/sign-in/provider/callback`) : { issuer: `http://127.0.0.1:${await freePort()}`, stop() {} };
  return {
    stop: peer.stop,
    environment: {
      MCP_REGISTRY__SERVER__LISTEN: `127.0.0.1:${port}`,
      MCP_REGISTRY__SERVER__PUBLIC_URL: base,
      MCP_REGISTRY__AUTH__OIDC__ISSUER: peer.issuer,
      MCP_REGISTRY__AUTH__OIDC__CLIENT_ID: 'mcp-registry',
      MCP_REGISTRY__AUTH__OIDC__LABEL: 'Acme login',
      MCP_REGISTRY__AUTH__OIDC__GROUPS: groups,
    },
  };
}

async function startPeer(t, redirectUri) {
  const env = { ...process.env, REDIRECT_URI: redirectUri, PEOPLE: JSON.stringify(PEOPLE) };
  // What it writes to standard error is its warnings about itself.
  const child = spawn(process.execPath, [PEER], { env, stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = once(child, 'exit');
  const stop = () => { child.stdin.end(); return ended; };
  atEnd(t, stop);
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const [, json] = line.match(/^ready (\{.*\})$/) ?? [];
  assert.ok(json, `the identity provider said: ${line}`);
  return { issuer: JSON.parse(json).issuer, stop };
}

/** From the sign-in page to the provider's own. */
export async function toProvider(page) {
  await page.getByRole('link', { name: 'Sign in with Acme login' }).click();
  await page.getByRole('heading', { name: 'Sign-in' }).waitFor();
}

/** Through the provider's pages, as one of `PEOPLE`. */
export async function signInThere(page, login) {
  await page.getByPlaceholder('Enter any login').fill(login);
  await page.getByPlaceholder('and password').fill('whatever');
  await page.getByRole('button', { name: 'Sign-in' }).click();
  await page.getByRole('button', { name: 'Continue' }).click();
}
