// The list of integrations where there are many: empty first, then paged, searched and ticked.
import assert from 'node:assert/strict';
import { flow } from './fixture.mjs';

const press = (page, name) => page.getByRole('button', { name, exact: true }).click();
const follow = (page, name) => page.getByRole('link', { name, exact: true }).click();
const said = (page, words) => page.getByRole('status').filter({ hasText: words }).waitFor();
const names = (page) => page.getByRole('row').getByRole('checkbox', { name: /^Select (?!all)/ }).evaluateAll((boxes) => boxes.map((box) => box.value));

async function many(api, count) {
  await api('POST', '/v1/workspaces', { name: 'Acme', slug: 'acme' });
  for (let number = 1; number <= count; number += 1) {
    const two = String(number).padStart(2, '0');
    await api('POST', '/v1/mcp-integrations', { name: `Tool ${two}`, slug: `tool-${two}`, url: `http://127.0.0.1:9/${two}/mcp`, transport: 'http', auth_type: number % 2 ? 'oauth_auto' : 'headers' });
  }
}

// With the full layer the list follows what is typed; else a button is pressed.
async function search(page, mode, words) {
  await page.getByRole('searchbox', { name: 'Search name, slug, URL or client_id' }).fill(words);
  if (!(mode.script && mode.layer === 'full')) await press(page, 'Apply');
}

flow('integrations are found, ordered, paged and switched off together', async ({ mode, registry, api, page, visit, step }) => {
  await step('is asked for an address where there is none', async () => {
    await page.goto(`${registry.base}/ui/integrations`);
    await page.getByRole('heading', { name: 'No integrations yet' }).waitFor();
    await page.getByRole('textbox', { name: 'Server URL' }).waitFor();
    await page.getByRole('link', { name: 'import JSON' }).waitFor();
    await visit('integrations-empty');
  });

  await many(api, 27);

  await step('turns pages, in the order asked for', async () => {
    await page.goto(`${registry.base}/ui/integrations`);
    await follow(page, 'Name');
    await page.getByRole('columnheader', { name: 'Name' }).and(page.locator('[aria-sort=ascending]')).waitFor();
    assert.equal((await names(page))[0], 'tool-01');
    await follow(page, 'Next');
    await page.getByText('26–27 of 27').waitFor();
    assert.deepEqual(await names(page), ['tool-26', 'tool-27']);
    await page.getByRole('combobox', { name: 'Rows' }).selectOption('50');
    await press(page, 'Show');
    await page.getByText('1–27 of 27').waitFor();
    assert.equal((await names(page))[0], 'tool-01');
  });

  await step('searches, and is told that nothing is found', async () => {
    await page.goto(`${registry.base}/ui/integrations?ws=acme&sort=name`);
    await search(page, mode, 'nobody');
    await page.getByRole('heading', { name: 'No integration matches “nobody” in acme' }).waitFor();
    await follow(page, 'Clear search');
    await page.getByRole('heading', { name: 'No integration matches in acme' }).waitFor();
    await follow(page, 'All workspaces');
    await page.getByText('1–25 of 27').waitFor();
    await page.waitForURL(/\?sort=name$/);
  });

  await step('ticks one, searches for others: what is ticked is only what was ticked', async () => {
    await page.getByRole('checkbox', { name: 'Select Tool 01' }).check();
    await page.getByRole('form', { name: 'Bulk actions' }).waitFor();
    await search(page, mode, 'tool 2');
    await page.getByText('1–8 of 8').waitFor();
    assert.equal(await page.getByRole('checkbox', { checked: true }).count(), 0);
    await page.getByRole('form', { name: 'Bulk actions' }).waitFor({ state: 'hidden' });
  });

  await step('switches two off, after a page that names them, and keeps the search', async () => {
    await page.getByRole('checkbox', { name: 'Select Tool 20' }).check();
    await page.getByRole('checkbox', { name: 'Select Tool 21' }).check();
    if (mode.script) await page.getByText('2 ticked').waitFor();
    await visit('integrations-ticked');
    await press(page, 'Disable…');
    await page.getByRole('heading', { name: 'Disable 2 integrations?' }).waitFor();
    assert.match(await page.getByRole('main').innerText(), /Tool 20[\s\S]*Tool 21/);
    await press(page, 'Disable');
    await said(page, 'Disabled: 2 integrations.');
    await page.getByText('1–8 of 8').waitFor();
    await page.getByRole('row', { name: /Tool 20/ }).getByText('Disabled').waitFor();
  });

  await step('sees them in their view and switches one on again from its menu', async () => {
    await page.getByRole('navigation', { name: 'Saved views' }).getByRole('link', { name: 'Disabled 2' }).click();
    await page.getByText('1–2 of 2').waitFor();
    const row = page.getByRole('row', { name: /Tool 20/ });
    await page.getByLabel('Actions for Tool 20').click();
    await row.getByRole('button', { name: 'Enable' }).click();
    await said(page, 'Enabled: 1 integration.');
    assert.equal((await api('GET', '/v1/mcp-integrations/tool-20')).status, 'active');
    assert.equal((await api('GET', '/v1/mcp-integrations/tool-21')).status, 'disabled');
  });
});

flow('an integration comes from a file', async ({ mode, registry, api, page, step }) => {
  const json = JSON.stringify({ name: 'Wiki', slug: 'wiki', url: 'http://127.0.0.1:9/mcp', transport: 'http', auth_type: 'none' });
  await page.goto(`${registry.base}/ui/integrations/new/import`);
  await step(mode.script ? 'is read into the text area' : 'is pasted', async () => {
    if (mode.script) {
      await page.getByLabel('From a file').setInputFiles({ name: 'wiki.json', mimeType: 'application/json', buffer: Buffer.from(json) });
      await page.getByLabel('JSON').and(page.locator(':valid')).waitFor();
    } else await page.getByLabel('JSON').fill(json);
    await press(page, 'Import');
    await said(page, 'Imported: 1 integration.');
    assert.equal((await api('GET', '/v1/mcp-integrations/wiki')).name, 'Wiki');
  });
});
