// The main job as a person does it: sign in, add an integration, save the documented example, see the registration succeed.
// The upstream is real: npm oidc-provider with a protected MCP server in front.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startPeer } from '../peers/lib/start.mjs';
import { LIMIT, editor, expectAccessible, openPage, picture, reloadUntil, signIn, startRegistry, step } from './fixture.mjs';
import { EXAMPLES } from './examples.mjs';

const ENTERPRISE_COMPLIANCE = EXAMPLES['Enterprise Compliance'];

async function upstream(t) {
  const authorizationServer = await startPeer('oidc-provider.mjs');
  t.after(() => authorizationServer.stop());
  const { issuer, introspection } = authorizationServer.ready;
  const mcp = await startPeer('protected-mcp.mjs', { AUTHORIZATION_SERVERS: issuer, INTROSPECTION: JSON.stringify(introspection) });
  t.after(() => mcp.stop());
  return { authorizationServer, mcpUrl: mcp.ready.mcp_url };
}

async function visit(page, name) {
  await expectAccessible(page);
  await picture(page, name);
}

test('an administrator saves the documented example and the client is registered', { timeout: LIMIT }, async (t) => {
  const { authorizationServer, mcpUrl } = await upstream(t);
  const registry = await startRegistry(t);
  const key = await registry.run('key', 'create', '--name', 'browser test', '--role', 'admin');
  await registry.api(key)('POST', '/v1/workspaces', { name: 'Acme', slug: 'acme' });
  const { page, expectStatus } = await openPage(t);

  await step(t, 'signs in through the one-time link', async () => {
    await signIn(page, registry);
    await visit(page, 'integrations-empty');
  });

  await step(t, 'adds an integration for one workspace', async () => {
    await page.getByLabel('Server URL').fill(mcpUrl);
    await page.getByRole('button', { name: 'Check server' }).click();
    await page.waitForURL(/\/ui\/integrations\/new\?url=/);
    await page.getByLabel('Name', { exact: true }).fill('Acme MCP');
    await page.getByLabel('Slug', { exact: true }).fill('acme-mcp');
    await page.getByRole('button', { name: 'Check server' }).click();
    await page.waitForURL(/\/check$/);
    assert.ok(await page.getByRole('radio', { name: 'Register automatically' }).isChecked(), 'proposed from what was found');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL(/\/metadata$/);
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL(/\/workspaces$/);
    await page.getByRole('checkbox', { name: 'Acme' }).check();
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('button', { name: 'Register now' }).click();
    await page.getByRole('link', { name: 'Open Acme MCP' }).click();
    await page.waitForURL(/\/ui\/integrations\/acme-mcp/);
    await visit(page, 'integration');
  });

  await step(t, 'is told what is wrong with a configuration, which is not saved', async () => {
    await page.goto(`${registry.base}/ui/integrations/acme-mcp/config`);
    await editor(page).fill('{ "oauth_client_metadata": { "scope": ["mcp:read"] } }');
    expectStatus(422);
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('alert').waitFor();
    assert.match(await page.getByRole('alert').innerText(), /scope/);
    await visit(page, 'configuration-refused');
  });

  await step(t, 'saves the documented example Enterprise compliance', async () => {
    await page.goto(`${registry.base}/ui/integrations/acme-mcp/config`);
    await editor(page).fill(ENTERPRISE_COMPLIANCE);
    await page.getByRole('button', { name: 'Check', exact: true }).click();
    await page.getByRole('status').filter({ hasText: 'Checked, not saved' }).waitFor();
    assert.equal(await page.getByRole('alert').count(), 0);
    assert.deepEqual(JSON.parse(await editor(page).value()), JSON.parse(ENTERPRISE_COMPLIANCE));
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('status').filter({ hasText: /^\s*Saved/ }).waitFor();
    await visit(page, 'configuration-saved');
    assert.match(await page.getByRole('main').innerText(), /Acme Corp MCP Gateway/);
  });

  await step(t, 'sees the registration succeed', async () => {
    // Adding the integration registered a client with the defaults already; the saved metadata replaces or updates it.
    const isAcme = ({ request }) => request.client_name === 'Acme Corp MCP Gateway';
    const { client_id: clientId } = await Promise.race([authorizationServer.event('registered', isAcme), authorizationServer.event('updated', isAcme)]);
    await page.goto(`${registry.base}/ui/registrations`);
    const row = page.getByRole('row').filter({ hasText: 'acme-mcp' });
    await reloadUntil(page, row.filter({ hasText: 'Registered' }));
    await visit(page, 'registrations');
    await row.getByRole('link').first().click();
    await page.waitForURL(/\/ui\/registrations\/[^/]+/);
    await visit(page, 'registration');
    // The client on the page is the one that the authorization server issued for the saved name.
    await reloadUntil(page, page.getByRole('main').getByText(clientId).first());
  });
});
