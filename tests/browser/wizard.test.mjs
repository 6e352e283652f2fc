// "Add integration", five steps, by keyboard alone; and what it says when something is wrong.
import assert from 'node:assert/strict';
import { editor, flow, press, reloadUntil, startSandbox, type } from './fixture.mjs';

const button = (page, name) => page.getByRole('button', { name, exact: true });

flow('an integration is added by keyboard alone', async ({ t, api, registry, page, expectStatus, visit, step }) => {
  const upstream = await startSandbox(t);
  for (const slug of ['acme-prod', 'acme-staging', 'support']) await api('POST', '/v1/workspaces', { name: slug.replace('-', ' '), slug });

  await step('begins with the URL in the empty list', async () => {
    await type(page, page.getByLabel('Server URL'), upstream.mcpUrl);
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/ui\/integrations\/new\?url=/);
    assert.equal(await page.getByLabel('Server URL').inputValue(), upstream.mcpUrl, 'never asked twice');
    await type(page, page.getByLabel('Name', { exact: true }), 'Acme MCP');
    await visit('wizard-url');
    await type(page, page.getByLabel('Slug', { exact: true }), 'a b');
    expectStatus(422);
    await page.keyboard.press('Enter');
    await page.getByRole('alert').waitFor();
    assert.match(await page.title(), /^Problem:/);
    assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'Acme MCP');
    await visit('wizard-url-refused');
    await press(page, page.getByRole('alert').getByRole('link'));
    await type(page, page.getByLabel('Slug', { exact: true }), 'acme-mcp');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/check$/);
  });

  await step('sees what was found, and the way that is proposed', async () => {
    const found = page.getByRole('main');
    for (const words of ['MCP endpoint answers and asks for OAuth', 'matches the URL', 'Registration endpoint, S256 PKCE, public clients']) {
      await found.getByText(words).waitFor();
    }
    const proposed = page.getByRole('radio', { name: 'Register automatically' });
    assert.ok(await proposed.isChecked());
    assert.ok(await page.getByRole('radio', { name: 'Publish a metadata document' }).isDisabled());
    await visit('wizard-check');
    await press(page, proposed);
    await page.waitForURL(/\/metadata$/);
  });

  await step('is told of a mistake in the client metadata and mends it', async () => {
    await type(page, await editor(page).ready(), '{ "oauth_client_metadata": { "scope": ["mcp:read"] } }');
    expectStatus(422);
    await press(page, button(page, 'Continue'));
    await page.getByRole('alert').waitFor();
    assert.match(await page.getByRole('alert').innerText(), /scope.*must be one string/);
    await type(page, await editor(page).ready(), '{ "oauth_client_metadata": { "client_name": "Acme Corp MCP Gateway", "scope": "mcp:read" } }');
    await press(page, button(page, 'Check'));
    await page.getByRole('status').filter({ hasText: 'Checked, not saved yet' }).waitFor();
    await visit('wizard-metadata');
    await press(page, button(page, 'Continue'));
    await page.waitForURL(/\/workspaces$/);
  });

  await step('chooses workspaces by searching for them', async () => {
    await press(page, page.getByRole('checkbox', { name: 'support' }), 'Space');
    await type(page, page.getByLabel('Search workspaces'), 'acme');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\?q=acme$/);
    assert.equal(await page.getByRole('checkbox', { name: 'support' }).count(), 0);
    await press(page, page.getByRole('checkbox', { name: 'acme prod' }), 'Space');
    await press(page, page.getByRole('checkbox', { name: 'Also every new workspace' }), 'Space');
    await visit('wizard-workspaces');
    await press(page, button(page, 'Continue'));
    await page.waitForURL(/\/register$/);
  });

  await step('goes back and finds everything as it was', async () => {
    await press(page, page.getByRole('navigation', { name: 'Steps' }).getByRole('link', { name: 'Workspaces' }));
    await page.waitForURL(/\/workspaces$/);
    for (const [name, chosen] of [['acme prod', true], ['acme staging', false], ['support', true], ['Also every new workspace', true]]) {
      assert.equal(await page.getByRole('checkbox', { name }).isChecked(), chosen, name);
    }
    await page.goBack();
    await page.waitForURL(/\/register$/);
    await page.reload();
  });

  await step('registers, and sees the first clients come', async () => {
    const main = page.getByRole('main');
    assert.match(await main.innerText(), /Acme Corp MCP Gateway/);
    await visit('wizard-summary');
    await press(page, button(page, 'Register now'));
    await main.getByText('Acme MCP is added').waitFor();
    await reloadUntil(page, main.getByText('2 of 2 registered.'));
    await main.getByText('http://localhost:8787/acme-prod/acme-mcp/mcp').waitFor();
    await visit('wizard-registered');
    await press(page, page.getByRole('link', { name: 'Open Acme MCP' }));
    await page.waitForURL(`${registry.base}/ui/integrations/acme-mcp`);
  });
});

flow('a server that is away, and one that takes no registrations', async ({ t, registry, page, visit, step }) => {
  await step('saves a draft of a server that cannot be reached', async () => {
    await page.goto(`${registry.base}/ui/integrations/new`);
    await page.getByLabel('Server URL').fill('http://127.0.0.1:9/mcp');
    await page.getByLabel('Name', { exact: true }).fill('Nobody there');
    await button(page, 'Check server').click();
    await page.getByText('The server could not be reached.').waitFor();
    await visit('wizard-unreachable');
    await button(page, 'Save as draft').click();
    await page.getByRole('status').filter({ hasText: 'Saved as a draft' }).waitFor();
    await visit('wizard-drafts');
  });

  await step('goes on with the draft at another address, with a client registered by hand', async () => {
    const upstream = await startSandbox(t, { no_registration_endpoint: true });
    await page.getByRole('link', { name: 'Nobody there', exact: true }).click();
    await page.getByRole('link', { name: 'Back', exact: true }).click();
    await page.getByLabel('Server URL').fill(upstream.mcpUrl);
    await button(page, 'Check server').click();
    await page.getByText('No registration endpoint').waitFor();
    assert.ok(await page.getByRole('radio', { name: 'Register automatically' }).isDisabled());
    assert.ok(await page.getByRole('radio', { name: /registered by hand/ }).isChecked());
    await page.getByLabel('client_id', { exact: true }).fill('acme-123');
    await page.getByLabel('client_secret').fill('a-secret-that-nobody-sees');
    await visit('wizard-by-hand');
    await button(page, 'Continue').click();
    await page.getByText('client_secret is sealed').waitFor();
    assert.doesNotMatch(await page.content(), /a-secret-that-nobody-sees/);
  });

  await step('discards it', async () => {
    await page.getByRole('link', { name: 'Discard draft' }).click();
    await visit('wizard-discard');
    await button(page, 'Discard draft').click();
    await page.getByRole('status').filter({ hasText: 'The draft is discarded' }).waitFor();
    assert.equal(await page.getByRole('heading', { name: 'Your drafts' }).count(), 0);
  });
});

flow('a known server, whose settings are added by a button', async ({ t, registry, page, expectStatus, visit, step }) => {
  const upstream = await startSandbox(t, { issuer_path: '/realms/acme' });
  const box = page.getByRole('region', { name: 'Known server: Keycloak' });

  await step('reads what is known of the server', async () => {
    await page.goto(`${registry.base}/ui/integrations/new`);
    await page.getByLabel('Server URL').fill(upstream.mcpUrl);
    await button(page, 'Check server').click();
    await box.getByText('initial access token').first().waitFor();
    assert.ok(await box.getByRole('link', { name: 'keycloak/keycloak#43654' }).isVisible());
    assert.match(await box.getByRole('region', { name: 'Settings for this server' }).innerText(), /<initial_access_token>/);
    await visit('wizard-known-server');
  });

  await step('adds its settings, and is told what is left to fill in', async () => {
    await box.getByRole('button', { name: 'Use these settings' }).click();
    await page.waitForURL(/\/metadata\?preset=true$/);
    await page.getByRole('status').filter({ hasText: 'Replace the placeholders in registration.initial_access_token' }).waitFor();
    await page.getByText('still contains a placeholder').first().waitFor();
    await visit('wizard-known-server-added');
    expectStatus(422);
    await button(page, 'Continue').click();
    await page.getByRole('alert').getByText('still contains a placeholder').waitFor();
  });

  await step('replaces the placeholder and goes on', async () => {
    await editor(page).ready();
    const text = await editor(page).value();
    await editor(page).fill(text.replace('<initial_access_token>', 'a-token-that-nobody-sees'));
    await button(page, 'Continue').click();
    await page.waitForURL(/\/workspaces$/);
    await page.getByRole('navigation', { name: 'Steps' }).getByRole('link', { name: 'Check' }).click();
    await box.getByText('All of these settings are in the configuration.').waitFor();
    assert.equal(await box.getByRole('button', { name: 'Use these settings' }).count(), 0);
    assert.doesNotMatch(await page.content(), /a-token-that-nobody-sees/);
    await visit('wizard-known-server-there');
  });
});
