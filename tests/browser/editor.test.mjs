// The JSON editor of the enhancement layer: it suggests, marks what the server finds, lets the keyboard go, and saves.
import assert from 'node:assert/strict';
import { MODES, editor, flow } from './fixture.mjs';

const FULL = MODES.filter(({ layer, script }) => layer === 'full' && script);

flow('the editor helps while somebody types', async ({ api, registry, page, visit, step }) => {
  await api('POST', '/v1/mcp-integrations', { name: 'Linear', slug: 'linear', url: 'http://127.0.0.1:9/mcp', transport: 'http', auth_type: 'oauth_auto' });
  await page.goto(`${registry.base}/ui/integrations/linear/config`);
  const text = await editor(page).ready();

  await step('suggests members and what they mean', async () => {
    await text.fill('{ "oauth_client_metadata": {  } }');
    await text.press('Home');
    for (let column = 0; column < 29; column += 1) await page.keyboard.press('ArrowRight');
    await page.keyboard.type('"log');
    await page.getByRole('option', { name: 'logo_uri' }).waitFor();
    await visit('editor-suggestion');
    await page.keyboard.press('Enter');
    await page.keyboard.type('"http://acme.com/logo.png');
    assert.deepEqual(JSON.parse(await editor(page).value()), { oauth_client_metadata: { logo_uri: 'http://acme.com/logo.png' } });
  });

  await step('marks what the server finds, without a click', async () => {
    await page.getByRole('list', { name: 'Problems' }).getByText('should be an https URL').waitFor();
    await page.locator('.cm-lintRange-warning').waitFor();
    await page.getByText('1 field changed.').waitFor();
    assert.equal(await text.evaluate((element) => element.getRootNode().activeElement === element), true, 'the focus stays');
    await visit('editor-finding');
  });

  await step('lets the keyboard leave', async () => {
    await page.keyboard.press('Escape');
    await page.keyboard.press('Tab');
    assert.equal(await text.evaluate((element) => element.getRootNode().activeElement), null);
  });

  await step('goes to the line of a finding', async () => {
    await page.getByRole('link', { name: 'Line 1' }).first().click();
    assert.equal(await text.evaluate((element) => element.getRootNode().activeElement === element), true);
  });

  await step('saves with Ctrl S', async () => {
    await text.fill('{ "oauth_client_metadata": { "client_name": "Acme" } }');
    await page.keyboard.press('ControlOrMeta+s');
    await page.getByRole('status').filter({ hasText: 'Saved as v1.' }).waitFor();
  });
}, FULL);

flow('a filter follows what is typed', async ({ api, registry, page, step }) => {
  for (const name of ['Linear', 'Notion']) {
    await api('POST', '/v1/mcp-integrations', { name, slug: name.toLowerCase(), url: 'http://127.0.0.1:9/mcp', transport: 'http', auth_type: 'none' });
  }
  await step('narrows the list and the address, and keeps the focus', async () => {
    await page.goto(`${registry.base}/ui/integrations`);
    const search = page.getByRole('searchbox', { name: 'Search name, slug, URL or client_id' });
    await search.pressSequentially('lin');
    await page.getByRole('link', { name: 'Notion' }).waitFor({ state: 'detached' });
    assert.equal(await page.getByRole('link', { name: 'Linear', exact: true }).count(), 1);
    await page.waitForURL(/q=lin/);
    assert.equal(await search.inputValue(), 'lin');
    assert.ok(await search.evaluate((element) => element === document.activeElement));
  });
}, FULL);

flow('keys lead everywhere, and single letters can be switched off', async ({ api, registry, page, step }) => {
  for (const name of ['Linear', 'Notion']) {
    await api('POST', '/v1/mcp-integrations', { name, slug: name.toLowerCase(), url: 'http://127.0.0.1:9/mcp', transport: 'http', auth_type: 'none' });
  }
  await step('g w, /, ?', async () => {
    await page.goto(`${registry.base}/ui/integrations`);
    await page.keyboard.press('g');
    await page.keyboard.press('w');
    await page.waitForURL(/\/ui\/workspaces$/);
    await page.keyboard.press('/');
    await page.keyboard.type('notion');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/ui\/(go|integrations\/notion)/);
    await page.goto(`${registry.base}/ui/integrations`);
    await page.keyboard.press('j');
    await page.keyboard.press('x');
    assert.equal(await page.getByRole('checkbox', { checked: true }).count(), 1);
    await page.keyboard.press('Shift+?');
    await page.waitForURL(/\/ui\/keys$/);
  });
  await step('switched off', async () => {
    await page.getByRole('button', { name: 'Switch single letters off' }).click();
    await page.getByRole('button', { name: 'Switch single letters on' }).waitFor();
    await page.goto(`${registry.base}/ui/integrations`);
    await page.keyboard.press('g');
    await page.keyboard.press('w');
    await page.keyboard.press('/');
    assert.ok(await page.evaluate(() => document.activeElement === document.body));
    assert.match(page.url(), /\/ui\/integrations$/);
  });
}, MODES.filter(({ script }) => script));
