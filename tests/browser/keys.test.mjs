// API keys and what the audit log tells of them, as an administrator uses them.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { flow } from './fixture.mjs';

const button = (page, name) => page.getByRole('button', { name, exact: true });

flow('a key is made, used, rotated and revoked', async ({ registry, api, page, expectStatus, visit, step }) => {
  let shown;
  const keyOnPage = async () => (await page.getByRole('status').filter({ hasText: 'mcpr_' }).innerText()).match(/mcpr_\w{36}/)[0];
  const answers = async (key) => (await fetch(`${registry.base}/v1/workspaces`, { headers: { authorization: `Bearer ${key}` } })).status;

  await step('is refused without a reason for no end', async () => {
    await page.goto(`${registry.base}/ui/api-keys/new`);
    await page.getByLabel('Name', { exact: true }).fill('terraform eu');
    await page.getByLabel('Role', { exact: true }).selectOption('viewer');
    await page.getByRole('radio', { name: 'Never' }).check();
    expectStatus(422);
    await button(page, 'Create key').click();
    assert.match(await page.getByRole('alert').innerText(), /reason/i);
    assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'terraform eu');
    await visit('api-key-refused');
  });
  await step('is shown once', async () => {
    await page.getByRole('radio', { name: 'In 90 days' }).check();
    await button(page, 'Create key').click();
    shown = await keyOnPage();
    await visit('api-key-created');
    assert.equal(await answers(shown), 200);
    await page.goto(`${registry.base}/ui/api-keys`);
    assert.ok(!(await page.content()).includes(shown));
  });
  await step('is rotated: both work for a day', async () => {
    await page.getByRole('row').filter({ hasText: 'terraform eu' }).getByRole('link', { name: /^Rotate/ }).click();
    await page.getByRole('main').getByRole('button', { name: /^Rotate/ }).click();
    const next = await keyOnPage();
    assert.notEqual(next, shown);
    assert.deepEqual([await answers(shown), await answers(next)], [200, 200]);
    shown = next;
  });
  await step('is revoked after reading when it was last used', async () => {
    const { data } = await api('GET', '/v1/api-keys');
    const { id } = data.find(({ name, prefix }) => name === 'terraform eu' && shown.startsWith(prefix));
    await page.goto(`${registry.base}/ui/api-keys/${id}/revoke`);
    await page.getByText(/It was last used/).waitFor();
    await page.getByRole('main').getByRole('button', { name: /^Revoke/ }).click();
    await page.getByRole('status').filter({ hasText: 'The key is revoked.' }).waitFor();
    assert.equal(await answers(shown), 401);
  });
  await step('and the audit log tells of all of it', async () => {
    await page.goto(`${registry.base}/ui/audit?action=api_key.`);
    for (const words of [/created the API key/, /rotated the API key/, /revoked the API key/]) await page.getByText(words).first().waitFor();
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Export CSV' }).click()]);
    assert.match(await readFile(await download.path(), 'utf8'), /api_key\.revoked/);
  });
});
