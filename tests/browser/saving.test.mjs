// Saving a configuration as people do it: reviewed, refused because another user was faster, restored from the history, and
// with re-registration put off.
import assert from 'node:assert/strict';
import { editor, flow, reloadUntil, startSandbox } from './fixture.mjs';

const named = (name) => `{\n  "oauth_client_metadata": {\n    "client_name": "${name}"\n  }\n}`;

async function linear(t, api, url, configurations) {
  await api('POST', '/v1/workspaces', { name: 'Acme', slug: 'acme' });
  await api('POST', '/v1/mcp-integrations', { name: 'Linear', slug: 'linear', url, transport: 'http', auth_type: 'oauth_auto', configurations });
  await api('POST', '/v1/mcp-servers', { name: 'Linear', slug: 'linear', mcp_integration_id: 'linear', workspace_id: 'acme' });
}

const press = (page, name) => page.getByRole('button', { name, exact: true }).click();

flow('a change is reviewed, saved and taken back', async ({ t, registry, api, page, visit, step }) => {
  await linear(t, api, 'http://127.0.0.1:9/mcp', JSON.parse(named('Acme')));

  await step('reviews what changes in the text and in what is sent', async () => {
    await page.goto(`${registry.base}/ui/integrations/linear/config`);
    await editor(page).fill(named('Acme Corp'));
    await press(page, 'Review changes');
    await page.getByRole('heading', { name: 'Review changes to Linear' }).waitFor();
    const text = page.getByRole('table', { name: 'Changes of the text' });
    await text.getByRole('row').filter({ hasText: 'added' }).filter({ hasText: 'Acme Corp' }).waitFor();
    await page.getByRole('table', { name: 'Changes of what is sent' }).getByText('client_name: Acme').first().waitFor();
    await visit('review');
  });

  await step('saves it with a note', async () => {
    await page.getByLabel('Note for the history').fill('The full name');
    await press(page, 'Save');
    await page.getByRole('status').filter({ hasText: 'Saved as v2.' }).waitFor();
  });

  await step('sees both versions in the history, and restores the first', async () => {
    await page.goto(`${registry.base}/ui/integrations/linear/history`);
    await page.getByRole('heading', { name: 'Version 2 compared with 1' }).waitFor();
    await page.getByRole('link', { name: /^v2 Current The full name/ }).waitFor();
    await page.getByRole('table', { name: 'Line differences' }).getByText('Acme Corp').waitFor();
    await visit('history');
    await page.getByRole('link', { name: 'What is sent' }).click();
    await page.getByText('For acme / linear').waitFor();
    await page.getByRole('link', { name: 'Restore v1' }).click();
    await page.getByRole('heading', { name: 'Restore version 1 of Linear?' }).waitFor();
    await visit('restore');
    await press(page, 'Restore v1');
    await page.getByRole('status').filter({ hasText: 'Restored v1 as v3.' }).waitFor();
    const { configurations } = await api('GET', '/v1/mcp-integrations/linear');
    assert.deepEqual(configurations, JSON.parse(named('Acme')));
  });
});

flow('of two people who save, the second sees both texts and loses nothing', async ({ t, registry, api, page, expectStatus, visit, step }) => {
  await linear(t, api, 'http://127.0.0.1:9/mcp', JSON.parse(named('Base')));
  const mine = named('Mine').replace('\n}', ',\n  "tools": {}\n}');

  await step('types while another user saves', async () => {
    await page.goto(`${registry.base}/ui/integrations/linear/config`);
    await editor(page).fill(mine);
    await api('PUT', '/v1/mcp-integrations/linear', { configurations: JSON.parse(named('Theirs')) });
    expectStatus(409);
    await press(page, 'Save');
    await page.getByRole('heading', { name: 'Another user saved Linear first' }).waitFor();
    assert.match(await page.getByRole('alert').innerText(), /terraform saved v2 while you were editing v1/);
    await page.getByRole('table', { name: 'What the other save changed' }).getByText('Theirs').waitFor();
    await page.getByRole('table', { name: 'What yours would change' }).getByText('Mine').waitFor();
    assert.equal(await editor(page, 'Your text').value(), mine);
    await visit('conflict');
  });

  await step('saves the own text over theirs', async () => {
    await press(page, 'Save mine as v3');
    await page.getByRole('status').filter({ hasText: 'Saved as v3.' }).waitFor();
    const { configurations } = await api('GET', '/v1/mcp-integrations/linear');
    assert.deepEqual(configurations, JSON.parse(mine));
  });
});

flow('where people must sign in again, saving asks once more, and re-registering can wait', async ({ t, registry, api, page, visit, step }) => {
  const sandbox = await startSandbox(t, { no_management: true });
  await linear(t, api, sandbox.mcpUrl, { registration: { replace: 'automatic' } });
  await page.goto(`${registry.base}/ui/registrations`);
  const row = page.getByRole('row').filter({ hasText: 'acme' });
  await reloadUntil(page, row.filter({ hasText: 'Registered' }));
  const gateway = registry.api(await registry.run('key', 'create', '--name', 'gateway', '--role', 'gateway'));
  const { client } = await gateway('GET', '/v1/gateway/servers/acme/linear');

  await step('is asked before anything is saved', async () => {
    await page.goto(`${registry.base}/ui/integrations/linear/config`);
    await editor(page).fill('{ "registration": { "replace": "automatic" }, "oauth_client_metadata": { "client_name": "Acme Corp" } }');
    await press(page, 'Save');
    await page.getByRole('heading', { name: 'Users who signed in through the old client must sign in again' }).waitFor();
    await page.getByText('1 registered client: 1 replaced; users who signed in through that 1 must sign in again.').waitFor();
    await visit('replace');
  });

  await step('saves, and the client serves on until somebody approves', async () => {
    await press(page, 'Save, re-register later');
    await page.getByRole('status').filter({ hasText: 'Saved as v2. 1 registration queued, 1 of them for your approval.' }).waitFor();
    await page.goto(`${registry.base}/ui/registrations`);
    await reloadUntil(page, row.filter({ hasText: 'Outdated' }));
    assert.equal((await gateway('GET', '/v1/gateway/servers/acme/linear')).client.client_id, client.client_id);
  });
});
