// Nothing that is typed is lost: every editor asks before it is left, keeps a draft in the tab, and never a secret in it.
import assert from 'node:assert/strict';
import { MODES, editor, flow, openPage, signIn, startRegistry } from './fixture.mjs';
import { test } from 'node:test';

const SCRIPTED = MODES.filter(({ script }) => script);
const CANARY = 'canary-that-nobody-keeps';
const JSON_TEXT = '{ "oauth_client_metadata": { "client_name": "Draft" } }';

const json = {
  type: async (page) => { await (await editor(page).ready()).click(); await page.keyboard.press('ControlOrMeta+a'); await page.keyboard.insertText(JSON_TEXT); },
  value: (page) => editor(page).value(),
  typed: JSON_TEXT,
};
const field = (label, typed, before = undefined) => ({
  type: async (page) => { await before?.(page); await page.getByLabel(label, { exact: true }).click(); await page.keyboard.press('ControlOrMeta+a'); await page.keyboard.insertText(typed); },
  value: (page) => page.getByLabel(label, { exact: true }).inputValue(),
  typed,
});
const choice = (label, typed) => ({
  type: async (page) => { await page.getByLabel(label).click(); await page.getByLabel(label).selectOption(typed); },
  value: (page) => page.getByLabel(label).inputValue(),
  typed,
});
const box = (name) => ({
  type: (page) => page.getByRole('checkbox', { name }).click(),
  value: (page) => page.getByRole('checkbox', { name }).isChecked(),
  typed: true,
});

// Each place where somebody types, and whether it has a draft; `bar`: the save bar is there only when something changed.
const EDITORS = [
  { of: 'organisation layer', path: '/ui/settings/organisation', bar: true, draft: true, ...json },
  { of: 'integration layer', path: '/ui/integrations/linear/config', bar: true, draft: true, ...json },
  { of: 'integration layer as a form', path: '/ui/integrations/linear/config?as=form', bar: true, draft: true, ...field('Client name', 'Draft') },
  { of: 'workspace layer', path: '/ui/workspaces/acme/integrations/linear/config', bar: true, draft: true, ...json },
  { of: 'server layer', path: '/ui/workspaces/acme/servers/linear/config', bar: true, draft: true, ...json },
  { of: 'wizard: address', path: '/ui/integrations/new', draft: true, ...field('Name', 'Draft') },
  { of: 'wizard: check', path: ({ draft }) => `${draft}/check`, draft: true, ...field('Header 1', 'X-Draft', (page) => page.getByRole('radio', { name: /header/i }).check()) },
  { of: 'wizard: metadata', path: ({ draft }) => `${draft}/metadata`, draft: true, ...json },
  { of: 'wizard: workspaces', path: ({ draft }) => `${draft}/workspaces`, ...box(/^Acme/) },
  { of: 'settings of an integration', path: '/ui/integrations/linear/edit', draft: true, ...field('Name', 'Draft') },
  { of: 'copy of an integration', path: '/ui/integrations/linear/duplicate', draft: true, ...field('Name', 'Draft') },
  { of: 'import', path: '/ui/integrations/new/import', type: async (page) => { await page.locator('#text').click(); await page.keyboard.insertText('{}'); }, value: (page) => page.locator('#text').inputValue(), typed: '{}' },
  { of: 'access', path: '/ui/integrations/linear/access', ...box(/^Beta/) },
  { of: 'new workspace', path: '/ui/workspaces/new', draft: true, ...field('Name', 'Draft') },
  { of: 'settings of a workspace', path: '/ui/workspaces/acme/edit', draft: true, ...field('Name', 'Draft') },
  { of: 'settings of a server', path: '/ui/workspaces/acme/servers/linear/edit', draft: true, ...field('Name', 'Draft') },
  { of: 'new API key', path: '/ui/api-keys/new', draft: true, ...field('Name', 'Draft') },
  { of: 'invitation', path: '/ui/settings/people/new', draft: true, ...field('Name', 'Draft') },
  { of: 'roles of a user', path: ({ user }) => `/ui/settings/people/${user}`, ...choice('In the whole organisation', 'viewer') },
  { of: 'client entered by hand', path: ({ registration }) => `/ui/registrations/${registration}/client`, ...field('client_id', 'draft') },
];

async function seed(registry, api, page) {
  for (const [name, slug] of [['Acme', 'acme'], ['Beta', 'beta']]) await api('POST', '/v1/workspaces', { name, slug });
  await api('POST', '/v1/mcp-integrations', { name: 'Linear', slug: 'linear', url: 'http://127.0.0.1:9/mcp', transport: 'http', auth_type: 'oauth_auto' });
  await api('POST', '/v1/mcp-servers', { name: 'Linear', slug: 'linear', mcp_integration_id: 'linear', workspace_id: 'acme' });
  const [registration] = (await api('GET', '/v1/registrations')).data;
  const [user] = (await api('GET', '/v1/users')).data;
  await page.goto(`${registry.base}/ui/integrations/new`);
  await page.getByLabel('Server URL').fill('http://127.0.0.1:9/mcp');
  await page.getByRole('button', { name: 'Check server', exact: true }).click();
  await page.waitForURL(/\/ui\/drafts\/[^/]+\/check/);
  return { registration: registration.id, user: user.id, draft: new URL(page.url()).pathname.replace(/\/check$/, '') };
}

const away = (page) => page.getByRole('navigation', { name: 'Sections' }).getByRole('link', { name: 'Registrations' });
const question = (page) => page.getByRole('dialog', { name: 'Leave without saving?' });
const offer = (page) => page.getByRole('region', { name: 'Unsaved changes' });
const stored = (page) => page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }]));

flow('every editor asks before it is left, and offers what was typed', async ({ registry, api, page, visit, step }) => {
  const ids = await seed(registry, api, page);
  for (const { of, path, bar, draft, type, value, typed } of EDITORS) {
    const address = registry.base + (typeof path === 'string' ? path : path(ids));
    const open = () => page.goto(address);
    await step(`${of}: nothing is asked while nothing is changed`, async () => {
      await open();
      if (bar) await page.locator('.savebar').waitFor({ state: 'hidden' });
      await away(page).click();
      await page.waitForURL(/\/ui\/registrations$/);
      await open();
    });
    await step(`${of}: a link asks, and one may stay`, async () => {
      await type(page);
      if (bar) await page.locator('.savebar').waitFor();
      await away(page).click();
      await question(page).waitFor();
      if (bar && of === 'integration layer') await visit('unsaved-question');
      await page.keyboard.press('Escape');
      await question(page).waitFor({ state: 'detached' });
      assert.equal(await value(page), typed);
    });
    await step(`${of}: the browser asks where no link leads away`, async () => {
      const asked = page.waitForEvent('dialog');
      // It answers only when the question is answered.
      const left = page.evaluate(() => { setTimeout(() => location.assign('/ui/workspaces')); });
      const dialog = await asked;
      assert.equal(dialog.type(), 'beforeunload');
      await dialog.dismiss();
      await left;
      assert.equal(await value(page), typed);
    });
    await step(`${of}: one may leave`, async () => {
      await away(page).click();
      const said = await question(page).innerText();
      assert.match(said, draft ? /A draft stays in this tab/ : /is lost if you leave/);
      await question(page).getByRole('button', { name: 'Leave' }).click();
      await page.waitForURL(/\/ui\/registrations$/);
    });
    await step(`${of}: what was typed is offered`, async () => {
      await open();
      if (!draft) {
        assert.equal(await offer(page).count(), 0);
        return;
      }
      await offer(page).waitFor();
      if (bar && of === 'integration layer') await visit('unsaved-offer');
      assert.notEqual(await value(page), typed);
      await offer(page).getByRole('button', { name: 'Restore' }).click();
      assert.equal(await value(page), typed);
      assert.equal(await offer(page).count(), 0);
      await open();
      await offer(page).getByRole('button', { name: 'Discard' }).click();
      await open();
      assert.equal(await offer(page).count(), 0);
      assert.notEqual(await value(page), typed);
    });
  }
}, SCRIPTED);

flow('what is saved is no draft any more, and a draft of an older version says so', async ({ registry, api, page, step }) => {
  await seed(registry, api, page);
  const config = `${registry.base}/ui/integrations/linear/config`;
  await step('saved', async () => {
    await page.goto(config);
    await json.type(page);
    await page.getByLabel('Note for the history').fill('Noted');
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await page.getByRole('status').filter({ hasText: 'Saved as v1.' }).waitFor();
    assert.ok(!(await stored(page)).includes('draft '), 'no draft is left');
    await page.goto(config);
    assert.equal(await offer(page).count(), 0);
  });
  await step('created', async () => {
    await page.goto(`${registry.base}/ui/workspaces/new`);
    await page.getByLabel('Name', { exact: true }).fill('Gamma');
    await page.getByRole('main').locator('button.pri').click();
    await page.waitForURL((url) => !url.pathname.endsWith('/new'));
    await page.goto(`${registry.base}/ui/workspaces/new`);
    assert.equal(await offer(page).count(), 0);
  });
  await step('reviewed and left: the draft stays', async () => {
    await page.goto(config);
    await editor(page).fill('{ "oauth_client_metadata": { "client_name": "Reviewed" } }');
    await page.getByRole('button', { name: 'Review changes', exact: true }).click();
    await page.getByRole('heading', { name: 'Review changes to Linear' }).waitFor();
    await away(page).click();
    await question(page).getByRole('button', { name: 'Leave' }).click();
    await page.waitForURL(/\/ui\/registrations$/);
    await page.goto(config);
    await offer(page).waitFor();
  });
  await step('saved by another user since', async () => {
    await api('PUT', '/v1/mcp-integrations/linear', { configurations: { oauth_client_metadata: { client_name: 'Theirs' } } });
    await page.goto(config);
    assert.match(await offer(page).innerText(), /What is saved has changed since/);
    await offer(page).getByRole('button', { name: 'Restore' }).click();
    assert.match(await editor(page).value(), /Reviewed/);
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await page.getByRole('status').filter({ hasText: 'Saved as v3.' }).waitFor();
    assert.match(JSON.stringify((await api('GET', '/v1/mcp-integrations/linear')).configurations), /Reviewed/);
  });
  await step('discarded by its button', async () => {
    await editor(page).fill('{ "oauth_client_metadata": { "client_name": "Unwanted" } }');
    await page.waitForFunction(() => JSON.stringify({ ...sessionStorage }).includes('Unwanted'));
    await page.getByRole('link', { name: 'Discard', exact: true }).click();
    await page.getByText('Nothing to complain about.').waitFor();
    assert.doesNotMatch(await editor(page).value(), /Unwanted/);
    assert.equal(await offer(page).count(), 0);
  });
  await step('refused: it is still there', async () => {
    await editor(page).fill('{ "oauth_client_metadata": { "scope": ["a"] }, ');
    await page.getByRole('link', { name: 'Integrations' }).first().click();
    await question(page).waitFor();
  });
}, SCRIPTED);

// Texts with a secret, and whether the rest of the text is kept.
const SECRETS = [
  { text: `{ "oauth_client_metadata": { "client_id": "kept", "client_secret": "${CANARY}" } }`, kept: true },
  { text: `{ "headers": { "x-api-key": "${CANARY}" }, "oauth_client_metadata": { "client_name": "kept" } }`, kept: true },
  { text: `{ "custom_headers": { "Authorization": "Bearer ${CANARY}" }, "x": "kept" }`, kept: true },
  { text: `{ "registration": { "initial_access_token": "${CANARY}" }, "x": "kept" }`, kept: true },
  { text: `{ "client_secret": "${CANARY}", "client_secret": "$sealed:x", "x": "kept" }`, kept: true },
  { text: `{ "oauth_client_metadata": { "my_password": "${CANARY}" }, "x": "kept" }`, kept: true },
  { text: `{ "oauth_client_metadata": { "client_id": "kept", "client_secret": "${CANARY}"`, kept: false },
  { text: `{ 'client_secret': '${CANARY}', 'x': 'kept' }`, kept: false },
  { text: `{ “headers”: { “x”: “${CANARY}” }, “x”: “kept” }`, kept: false },
  { text: '{ "oauth_client_metadata": { "token_endpoint_auth_method": "client_secret_basic", "client_name": "kept" }', kept: true },
];

flow('no secret is ever kept', async ({ registry, api, page, step }) => {
  const { draft } = await seed(registry, api, page);
  const leave = async () => {
    await away(page).click();
    await question(page).getByRole('button', { name: 'Leave' }).click();
    await page.waitForURL(/\/ui\/registrations$/);
    return stored(page);
  };
  for (const { text, kept } of SECRETS) {
    await step(text, async () => {
      await page.goto(`${registry.base}/ui/integrations/linear/config`);
      await page.evaluate(() => sessionStorage.clear());
      await editor(page).fill(text);
      const found = await leave();
      assert.ok(!found.includes(CANARY), 'the secret is kept');
      assert.equal(found.includes('kept'), kept);
    });
  }
  await step('the fields of the wizard', async () => {
    await page.goto(`${registry.base}${draft}/check`);
    await page.getByRole('radio', { name: /header/i }).check();
    await page.getByLabel('Header 1', { exact: true }).fill('X-Kept');
    await page.getByLabel('Its value').first().fill(CANARY);
    const found = await leave();
    assert.ok(found.includes('X-Kept') && !found.includes(CANARY));
  });
  await step('nor anything after signing out', async () => {
    await page.goto(`${registry.base}/ui/account`);
    await page.getByRole('button', { name: 'Sign out', exact: true }).first().click();
    await page.waitForURL(/sign-in/);
    assert.ok(!(await stored(page)).includes('draft '));
  });
}, SCRIPTED.slice(0, 1));

test('without a script the save bar is there as ever', { timeout: 120_000 }, async (t) => {
  const registry = await startRegistry(t);
  const { page } = await openPage(t, { javaScriptEnabled: false });
  await signIn(page, registry);
  await page.goto(`${registry.base}/ui/settings/organisation`);
  await page.getByRole('button', { name: 'Save', exact: true }).waitFor();
  await page.getByText('No field is changed yet.').waitFor();
  await page.context().close();
});
