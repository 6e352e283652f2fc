// Registrations that do not come about by themselves, and what a person does about them; and who may use an integration.
import assert from 'node:assert/strict';
import { flow, reloadUntil, startSandbox } from './fixture.mjs';

const button = (page, name) => page.getByRole('button', { name, exact: true });
const status = (page, text) => page.getByRole('status').filter({ hasText: text }).waitFor();

async function server(api, slug, url, configurations) {
  await api('POST', '/v1/mcp-integrations', { name: slug, slug, url, transport: 'http', auth_type: 'oauth_auto', configurations });
  await api('POST', '/v1/mcp-servers', { name: slug, slug, mcp_integration_id: slug, workspace_id: 'acme' });
}

async function registration(api, slug, state) {
  for (;;) {
    const { data } = await api('GET', '/v1/registrations?page_size=100');
    const found = data.find((one) => one.mcp_integration_slug === slug && one.state === state);
    if (found) return found;
  }
}

flow('a refused registration is understood, mended and tried again', async ({ t, registry, api, page, visit, step }) => {
  const upstream = await startSandbox(t, { registration_refusal: { status: 400, error: 'invalid_client_metadata', description: 'scope admin is not allowed' } });
  await api('POST', '/v1/workspaces', { name: 'Acme', slug: 'acme' });
  await server(api, 'snowflake', upstream.mcpUrl, { oauth_client_metadata: { scope: 'admin' } });
  await registration(api, 'snowflake', 'failed');

  await step('finds it by its counter, and reads what the server said', async () => {
    await page.goto(`${registry.base}/ui/registrations`);
    await page.getByRole('link', { name: /1\s*Failed/ }).click();
    await page.getByRole('row').filter({ hasText: 'snowflake' }).getByRole('link').first().click();
    await page.getByText('scope admin is not allowed').first().waitFor();
    await visit('registration-refused');
  });

  await step('tries it again after the server was changed', async () => {
    await upstream.quirks({});
    await button(page, 'Retry now').click();
    await reloadUntil(page, page.getByText('A client is registered and ready for the gateways.'));
  });

  await step('replaces the client, after reading whom that affects', async () => {
    const before = await registration(api, 'snowflake', 'registered');
    await page.getByRole('link', { name: 'Re-register…' }).click();
    await page.getByRole('heading', { name: 'Register a new client?' }).waitFor();
    await page.getByText(before.client_id).first().waitFor();
    await page.getByRole('button', { name: /Re-register/ }).click();
    await status(page, 'A new client is being registered.');
    for (;;) {
      const { client_id: clientId } = await registration(api, 'snowflake', 'registered');
      if (clientId !== before.client_id) break;
    }
  });

  await step('withdraws it', async () => {
    const { id } = await registration(api, 'snowflake', 'registered');
    await page.goto(`${registry.base}/ui/registrations/${id}/withdraw`);
    await page.getByRole('main').getByRole('button', { name: /Withdraw/ }).click();
    await status(page, 'The client is being withdrawn.');
    while ((await api('GET', `/v1/registrations/${id}`)).state !== 'withdrawn');
  });
});

flow('a client registered by hand is entered where the server takes no registrations', async ({ t, registry, api, page, expectStatus, step }) => {
  const upstream = await startSandbox(t, { no_registration_endpoint: true });
  await api('POST', '/v1/workspaces', { name: 'Acme', slug: 'acme' });
  await server(api, 'github', upstream.mcpUrl);
  const { id } = await registration(api, 'github', 'failed');

  await step('is told what is missing', async () => {
    await page.goto(`${registry.base}/ui/registrations/${id}/client`);
    expectStatus(422);
    await page.getByLabel('client_id', { exact: true }).fill(' ');
    await button(page, 'Save and use it').click();
    await page.getByRole('alert').waitFor();
  });
  await step('enters it', async () => {
    await page.getByLabel('client_id', { exact: true }).fill('acme-123');
    await page.getByLabel('client_secret').fill('a-secret-that-nobody-sees');
    await button(page, 'Save and use it').click();
    await status(page, 'The client is entered.');
    const registered = await registration(api, 'github', 'registered');
    assert.equal(registered.client_id, 'acme-123');
    assert.ok(!(await page.content()).includes('a-secret-that-nobody-sees'));
  });
});

flow('access is switched off with a warning, and on again', async ({ t, registry, api, page, step }) => {
  const upstream = await startSandbox(t);
  for (const slug of ['acme', 'support']) await api('POST', '/v1/workspaces', { name: slug, slug });
  await server(api, 'linear', upstream.mcpUrl);
  await registration(api, 'linear', 'registered');

  await step('off: says what stops', async () => {
    await page.goto(`${registry.base}/ui/integrations/linear/access`);
    await page.getByRole('checkbox', { name: /^acme/ }).uncheck();
    await button(page, 'Save access').click();
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.getByRole('main').getByRole('button', { name: /Switch off|Save/ }).first().click();
    await status(page, 'Workspace access is saved.');
    assert.equal(await page.getByRole('checkbox', { name: /^acme/ }).isChecked(), false);
  });
  await step('on', async () => {
    await page.getByRole('checkbox', { name: /^acme/ }).check();
    await button(page, 'Save access').click();
    await status(page, 'Workspace access is saved.');
  });
});

flow('Go to finds a server by a few characters', async ({ t, registry, api, page, step }) => {
  const upstream = await startSandbox(t);
  await api('POST', '/v1/workspaces', { name: 'Acme', slug: 'acme' });
  await server(api, 'linear', upstream.mcpUrl);
  await step('by workspace and server', async () => {
    await page.goto(`${registry.base}/ui/workspaces`);
    await page.getByRole('searchbox', { name: /^Go to an integration/ }).fill('lin');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/ui\/go\?q=lin/);
    await page.getByRole('main').getByRole('link', { name: 'linear' }).first().click();
    await page.getByRole('heading', { name: 'linear', level: 1 }).waitFor();
  });
});
