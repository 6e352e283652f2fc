// What a server offers, switched off for an integration and narrowed for a server; and who may use a server.
import assert from 'node:assert/strict';
import { flow } from './fixture.mjs';

const button = (page, name) => page.getByRole('button', { name, exact: true });
const tick = (page, name) => page.getByRole('checkbox', { name, exact: true });
const status = (page, text) => page.getByRole('status').filter({ hasText: text }).waitFor();

const OFFERED = [
  { type: 'tool', name: 'create_issue', title: 'Create an issue', description: 'Creates an issue in a team.' },
  { type: 'tool', name: 'delete_issue', title: 'Delete an issue' },
  { type: 'resource', name: 'Labels', uri: 'linear://labels/<all>?x=1&y=%41' },
];

flow('capabilities are switched off, narrowed, and given to single users', async ({ registry, api, page, expectStatus, visit, step }) => {
  const gateway = registry.api(await registry.run('key', 'create', '--name', 'gateway eu-1', '--role', 'gateway'));
  await api('POST', '/v1/workspaces', { name: 'Acme', slug: 'acme' });
  await api('POST', '/v1/mcp-integrations', { name: 'Linear', slug: 'linear', url: 'http://127.0.0.1:9/mcp', transport: 'http', auth_type: 'none' });
  await api('POST', '/v1/mcp-servers', { name: 'Linear', slug: 'linear', mcp_integration_id: 'linear', workspace_id: 'acme' });
  const at = (what) => `/v1/mcp-servers/linear/${what}?workspace_id=acme`;

  await step('says how the list is filled while it is empty', async () => {
    await page.goto(`${registry.base}/ui/integrations/linear`);
    await page.getByRole('link', { name: 'Capabilities', exact: true }).click();
    await page.getByRole('heading', { name: 'Nothing is known yet' }).waitFor();
    await visit('capabilities-empty');
  });

  await step('switches off what nobody has seen yet', async () => {
    await page.getByLabel('Name or URI', { exact: true }).fill('x'.repeat(1_025));
    expectStatus(422);
    await button(page, 'Switch off').click();
    await page.getByRole('alert').filter({ hasText: '1 to 1024 bytes' }).waitFor();
    await page.getByLabel('Name or URI', { exact: true }).fill('drop_workspace');
    await button(page, 'Switch off').click();
    await status(page, 'It is off.');
    assert.equal(await tick(page, 'drop_workspace').isChecked(), false);
    await page.getByText('Not seen yet').waitFor();
  });

  await step('switches several at once, and keeps the search', async () => {
    await gateway('POST', at('capabilities/sync'), { capabilities: OFFERED });
    await page.goto(`${registry.base}/ui/integrations/linear/capabilities`);
    await page.getByRole('searchbox', { name: 'Name, URI or description' }).fill('l');
    await button(page, 'Search').click();
    await tick(page, 'Delete an issue').uncheck();
    await tick(page, 'Labels').uncheck();
    await button(page, 'Save capabilities').click();
    await status(page, 'Saved: 2 switched.');
    assert.match(page.url(), /q=l/);
    await visit('capabilities-switched');
    await page.getByRole('link', { name: 'Tools 1 of 3 on' }).click();
    assert.equal(await tick(page, 'Delete an issue').isChecked(), false);
    assert.equal(await tick(page, 'Labels').count(), 0);
  });

  await step('narrows a server, and shows what is off above', async () => {
    await page.goto(`${registry.base}/ui/workspaces/acme/servers/linear`);
    await page.getByRole('link', { name: 'Capabilities', exact: true }).click();
    assert.equal(await tick(page, 'Delete an issue').count(), 0);
    await page.getByRole('row', { name: /Delete an issue/ }).getByText('Off above').waitFor();
    await tick(page, 'Create an issue').uncheck();
    await button(page, 'Save capabilities').click();
    await status(page, 'Saved: 1 switched.');
    await visit('server-capabilities-switched');
    const { data } = await api('GET', at('capabilities'));
    assert.deepEqual(data.filter(({ enabled }) => enabled), []);
    await page.getByRole('row', { name: /Delete an issue/ }).getByRole('link', { name: /by the integration/ }).click();
    await page.getByRole('heading', { name: 'Linear: capabilities' }).waitFor();
    await tick(page, 'Labels').check();
    await button(page, 'Save capabilities').click();
    await status(page, 'Saved: 1 switched.');
    assert.deepEqual((await api('GET', at('capabilities'))).data.filter(({ enabled }) => enabled).map(({ name }) => name), ['Labels']);
  });

  await step('denies everybody but one user', async () => {
    await api('POST', '/v1/users', { email: 'grace@acme.com', name: 'Grace Hopper', workspaces: [{ workspace_id: 'acme', role: 'viewer' }] });
    await page.goto(`${registry.base}/ui/workspaces/acme/servers/linear/users`);
    await page.getByRole('radio', { name: 'Denied', exact: true }).check();
    await page.getByRole('combobox', { name: 'Access of Grace Hopper' }).selectOption({ label: 'Allow' });
    await button(page, 'Save user access').click();
    await status(page, 'User access is saved.');
    await visit('server-users-saved');
    const { data } = await api('GET', at('user-access'));
    assert.deepEqual(data.filter(({ enabled }) => enabled).map((one) => `${one.first_name} ${one.last_name}`), ['Grace Hopper']);
    assert.equal(await page.getByRole('radio', { name: 'Denied', exact: true }).isChecked(), true);
  });

  await step('gives a user the default again', async () => {
    const choice = page.getByRole('combobox', { name: 'Access of Grace Hopper' });
    assert.equal(await choice.locator('option:checked').innerText(), 'Allow');
    await choice.selectOption({ label: 'As default (denied)' });
    await button(page, 'Save user access').click();
    await status(page, 'User access is saved.');
    assert.equal(await choice.locator('option:checked').innerText(), 'As default (denied)');
    const { data } = await api('GET', at('user-access'));
    const grace = data.find((one) => one.first_name === 'Grace');
    assert.deepEqual([grace.enabled, grace.has_override], [false, false]);
    await page.getByRole('searchbox', { name: 'Name, e-mail address or id' }).fill('nobody');
    await button(page, 'Search').click();
    await page.getByRole('heading', { name: 'No user matches “nobody”' }).waitFor();
  });
});
