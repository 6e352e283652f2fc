// The list of integrations and what is done to one or to several of them.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { flow, reloadUntil, startSandbox } from './fixture.mjs';

const button = (page, name) => page.getByRole('button', { name, exact: true });
const status = (page, text) => page.getByRole('status').filter({ hasText: text }).waitFor();

flow('integrations are found, copied, carried elsewhere, switched off and deleted', async ({ t, registry, api, page, expectStatus, visit, step }) => {
  const upstream = await startSandbox(t);
  await api('POST', '/v1/workspaces', { name: 'Acme', slug: 'acme' });
  await api('POST', '/v1/mcp-integrations', { name: 'Linear', slug: 'linear', url: upstream.mcpUrl, transport: 'http', auth_type: 'oauth_auto', configurations: { oauth_client_metadata: { client_name: 'Acme' } } });
  await api('POST', '/v1/mcp-servers', { name: 'Linear', slug: 'linear', mcp_integration_id: 'linear', workspace_id: 'acme' });
  await api('POST', '/v1/mcp-integrations', { name: 'Wiki', slug: 'wiki', url: 'http://127.0.0.1:9/mcp', transport: 'http', auth_type: 'headers' });

  await step('finds one by its name, and says so when there is none', async () => {
    await page.goto(`${registry.base}/ui/integrations`);
    await page.getByRole('searchbox', { name: 'Search name, slug, URL or client_id' }).fill('wik');
    await button(page, 'Apply').click();
    await page.getByRole('link', { name: 'Wiki', exact: true }).waitFor();
    assert.equal(await page.getByRole('link', { name: 'Linear', exact: true }).count(), 0);
    await page.goto(`${registry.base}/ui/integrations?q=nobody&ws=acme`);
    await page.getByRole('heading', { name: 'No integration matches “nobody” in acme' }).waitFor();
    await page.getByRole('link', { name: 'Clear search' }).click();
    await page.getByRole('link', { name: 'Linear', exact: true }).waitFor();
  });

  await step('orders by a column, both ways', async () => {
    await page.goto(`${registry.base}/ui/integrations`);
    const names = () => page.getByRole('row').getByRole('link', { name: /^(Linear|Wiki)$/ }).allInnerTexts();
    await page.getByRole('columnheader', { name: 'Name' }).getByRole('link').click();
    assert.deepEqual(await names(), ['Linear', 'Wiki']);
    await page.getByRole('columnheader', { name: 'Name' }).getByRole('link').click();
    assert.deepEqual(await names(), ['Wiki', 'Linear']);
    assert.equal(await page.getByRole('columnheader', { name: 'Name' }).getAttribute('aria-sort'), 'descending');
  });

  await step('changes name and address, and is asked about what that costs', async () => {
    await page.goto(`${registry.base}/ui/integrations/linear`);
    await reloadUntil(page, page.getByRole('link', { name: /Registered/ }));
    await page.goto(`${registry.base}/ui/integrations/linear/edit`);
    await page.getByLabel('Name', { exact: true }).fill('Linear EU');
    await page.getByLabel('Server URL').fill('not an address');
    expectStatus(422);
    await button(page, 'Save').click();
    await page.getByRole('alert').waitFor();
    assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'Linear EU');
    await page.getByLabel('Server URL').fill(upstream.mcpUrl.replace('/mcp', '/other'));
    await button(page, 'Save').click();
    await page.getByText('This changes where clients are registered.').waitFor();
    await visit('integration-edit-cost');
    await page.getByLabel('Server URL').fill(upstream.mcpUrl);
    await button(page, 'Save and re-register').click();
    await page.getByRole('heading', { name: /Linear EU/ }).waitFor();
  });

  await step('tests the connection', async () => {
    await page.getByText('Actions', { exact: true }).click();
    await button(page, 'Test connection').click();
    await status(page, 'The connection was tested');
    await page.getByText(/401|It answers/).first().waitFor();
  });

  await step('copies it, and is told when the slug is taken', async () => {
    await page.goto(`${registry.base}/ui/integrations/linear/duplicate`);
    await page.getByLabel('Slug').fill('wiki');
    expectStatus(422);
    await button(page, 'Duplicate').click();
    assert.match(await page.getByRole('alert').innerText(), /wiki.*taken/);
    await page.getByLabel('Slug').fill('linear-copy');
    await button(page, 'Duplicate').click();
    await status(page, 'Copied.');
    const { configurations } = await api('GET', '/v1/mcp-integrations/linear-copy');
    assert.deepEqual(configurations, { oauth_client_metadata: { client_name: 'Acme' } });
  });

  await step('exports the ticked ones, and imports them again', async () => {
    await page.goto(`${registry.base}/ui/integrations`);
    await page.getByRole('checkbox', { name: 'Select Linear EU', exact: true }).check();
    const [download] = await Promise.all([page.waitForEvent('download'), button(page, 'Export JSON').click()]);
    const text = await readFile(await download.path(), 'utf8');
    const { integrations } = JSON.parse(text);
    assert.deepEqual(integrations.map(({ slug }) => slug), ['linear']);
    await page.goto(`${registry.base}/ui/integrations/new/import`);
    await page.getByLabel('JSON').fill(text);
    expectStatus(422);
    await button(page, 'Import').click();
    assert.match(await page.getByRole('alert').innerText(), /Nothing is saved/);
    await visit('integrations-import-refused');
    await page.getByLabel('JSON').fill(text.replaceAll('"linear"', '"linear-two"'));
    await button(page, 'Check').click();
    await status(page, '1 integration would be made');
    await button(page, 'Import').click();
    await status(page, 'Imported: 1 integration.');
  });

  await step('switches two off, and one on again', async () => {
    await page.getByRole('checkbox', { name: 'Select Linear EU (copy)' }).check();
    await page.getByRole('checkbox', { name: 'Select Wiki' }).check();
    await button(page, 'Disable…').click();
    await page.getByRole('heading', { name: 'Disable 2 integrations?' }).waitFor();
    await visit('integrations-disable');
    await button(page, 'Disable').click();
    await status(page, 'Disabled: 2 integrations.');
    await page.goto(`${registry.base}/ui/integrations/wiki`);
    await button(page, 'Enable').first().click();
    await status(page, 'Enabled: 1 integration.');
  });

  await step('deletes one after typing its slug', async () => {
    await page.goto(`${registry.base}/ui/integrations/linear/delete`);
    await page.getByLabel('Type linear to confirm').fill('liner');
    expectStatus(422);
    await button(page, 'Delete integration').click();
    assert.match(await page.getByRole('alert').innerText(), /“liner” is not the slug/);
    await page.getByLabel('Type linear to confirm').fill('linear');
    await button(page, 'Delete integration').click();
    await status(page, 'Deleted, with 1 server.');
  });
});
