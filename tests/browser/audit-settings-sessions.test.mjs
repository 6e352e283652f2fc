// The audit log, the settings, and sessions that end: elsewhere, or while a user types.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { flow, openPage } from './fixture.mjs';

const PASSWORD = 'correct horse battery';

flow('the audit log is narrowed, read on and taken away as a file', async ({ registry, api, page, expectStatus, visit, step }) => {
  for (let number = 0; number < 55; number += 1) await api('POST', '/v1/workspaces', { name: `Team ${number}` });
  await api('POST', '/v1/mcp-integrations', { name: 'Linear', slug: 'linear', url: 'https://mcp.linear.app/mcp', auth_type: 'none', transport: 'http' });

  await step('by what was done', async () => {
    await page.goto(`${registry.base}/ui/audit`);
    await page.getByLabel('API keys and tokens').check();
    await page.getByLabel('Action').selectOption('Workspaces');
    await page.getByRole('button', { name: 'Apply' }).click();
    await page.waitForURL(/action=workspace\./);
    await page.getByText(/created the workspace/).first().waitFor();
    assert.equal(await page.getByText(/created the integration/).count(), 0);
  });
  await step('and read on with the same filter', async () => {
    await page.getByRole('link', { name: 'Older' }).click();
    await page.getByRole('link', { name: 'team-0', exact: true }).waitFor();
    assert.equal(await page.getByLabel('Action').inputValue(), 'workspace.');
    await page.getByRole('link', { name: 'Newer' }).click();
    await page.getByRole('link', { name: 'team-54', exact: true }).waitFor();
  });
  await step('an entry opens to what it was before and after', async () => {
    await page.getByText(/^\d members/).first().click();
    await page.getByRole('row', { name: 'slug not set team-54' }).waitFor();
    await visit('audit-open');
  });
  await step('the file holds what fits, all of it', async () => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Export JSON lines' }).click()]);
    const lines = (await readFile(await download.path(), 'utf8')).trim().split('\n').map((line) => JSON.parse(line));
    assert.equal(lines.length, 55);
    assert.ok(lines.every(({ action }) => action === 'workspace.created'));
  });
  await step('nothing there says since when there is a log', async () => {
    await page.getByLabel('Actor').fill('nobody at all');
    await page.getByRole('button', { name: 'Apply' }).click();
    await page.getByText(/The log covers everything since 20/).waitFor();
    await page.getByRole('link', { name: 'Clear the filters' }).click();
    await page.waitForURL(/\/ui\/audit$/);
  });
  await step('a moment that cannot be read stays as it was typed', async () => {
    expectStatus(422);
    await page.goto(`${registry.base}/ui/audit?from=yesterday`);
    assert.match(await page.title(), /^Problem:/);
    assert.equal(await page.getByLabel('From (UTC)').inputValue(), 'yesterday');
    await visit('audit-refused');
  });
});

flow('the settings say what is in force and whether gateways answer', async ({ registry, page, visit, step }) => {
  await step('defaults, and the way to the organisation layer', async () => {
    await page.goto(`${registry.base}/ui/settings`);
    await page.getByRole('rowheader', { name: 'client_name' }).waitFor();
    await page.getByRole('main').getByRole('link', { name: 'Edit the organisation layer' }).click();
    await page.waitForURL(/\/ui\/settings\/organisation/);
  });
  await step('gateways are asked when somebody wants to know', async () => {
    await page.goto(`${registry.base}/ui/settings`);
    await page.getByRole('link', { name: 'Gateways and callbacks' }).click();
    await page.getByText('Not asked yet.').waitFor();
    await page.getByRole('button', { name: 'Check now' }).click();
    await page.getByRole('list', { name: 'Results' }).getByRole('listitem').first().waitFor();
    await visit('settings-gateways-checked');
  });
});

flow('a session ends elsewhere, or while somebody writes', async ({ t, mode, registry, page, expectStatus, visit, step }) => {
  const other = await openPage(t, { javaScriptEnabled: mode.script });
  const signIn = async (page, password) => {
    await page.getByLabel('E-mail address').fill('admin@localhost');
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  };

  await step('a password lets in elsewhere', async () => {
    await page.goto(`${registry.base}/ui/account`);
    await page.getByLabel('New password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Set password' }).click();
    await page.getByRole('status').filter({ hasText: 'Your password is set.' }).waitFor();
    await other.page.goto(`${registry.base}/ui/workspaces/new`);
    await other.page.waitForURL(/\/ui\/sign-in\?next=/);
    await signIn(other.page, PASSWORD);
    await other.page.waitForURL(/\/ui\/workspaces\/new$/);
  });
  await step('and is signed out from here', async () => {
    await other.page.getByLabel('Name', { exact: true }).fill('Written for an hour');
    await page.goto(`${registry.base}/ui/account`);
    await visit('account-sessions');
    await page.getByRole('button', { name: 'Sign out everywhere else' }).click();
    await page.getByRole('status').filter({ hasText: 'Signed out: 1 session.' }).waitFor();
  });
  await step('what was typed there is kept', async () => {
    other.expectStatus(401);
    await other.page.getByRole('main').getByRole('button', { name: 'Add workspace' }).click();
    await other.page.getByText('what you typed is kept').waitFor();
    other.expectStatus(422);
    await signIn(other.page, 'a wrong password');
    assert.match(await other.page.getByRole('alert').innerText(), /not right/);
    await signIn(other.page, PASSWORD);
    await other.page.getByRole('heading', { name: 'Your change is not saved yet' }).waitFor();
    assert.ok(!(await (await page.request.get(`${registry.base}/ui/workspaces`)).text()).includes('Written for an hour'));
    await other.page.getByRole('button', { name: 'Send it now' }).click();
    await other.page.getByRole('heading', { name: 'Written for an hour', level: 1 }).waitFor();
  });
  await step('the theme is chosen and kept', async () => {
    await page.goto(`${registry.base}/ui/account`);
    await page.getByRole('radio', { name: 'Dark' }).check();
    await page.getByRole('button', { name: 'Set theme' }).click();
    await page.waitForURL(/\/ui\/account$/);
    assert.ok(await page.getByRole('radio', { name: 'Dark' }).isChecked());
    await page.reload();
    assert.ok(await page.getByRole('radio', { name: 'Dark' }).isChecked());
  });
  await step('too many wrong passwords have to wait', async () => {
    await page.getByRole('main').getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.waitForURL(/\/ui\/sign-in$/);
    // Ten at once, then one a minute: how many are left depends on how long this test took.
    const attempt = async () => {
      const headers = { 'sec-fetch-site': 'same-origin' };
      return (await page.request.post(`${registry.base}/ui/sign-in`, { headers, form: { email: 'admin@localhost', password: 'a wrong password' } })).status();
    };
    let tries = 0;
    for (let status = 422; status !== 429; tries += 1) {
      assert.ok(tries < 30, 'nobody has to wait');
      status = await attempt();
    }
    assert.ok(tries > 3, `${tries} tries`);
    expectStatus(429);
    await signIn(page, PASSWORD);
    assert.match(await page.getByRole('alert').innerText(), /Try again in \d+ seconds/);
    assert.equal(await page.getByLabel('E-mail address').inputValue(), 'admin@localhost');
    await visit('sign-in-limited');
  });
  await other.page.context().close();
});
