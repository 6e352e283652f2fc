// The command palette: Ctrl K, suggestions while one types, the keyboard alone, and only what the user may do.
import assert from 'node:assert/strict';
import { MODES, editor, flow, openPage } from './fixture.mjs';

const SCRIPTED = MODES.filter(({ script }) => script);

async function seed(api) {
  await api('POST', '/v1/workspaces', { name: 'Acme', slug: 'acme' });
  const logo = { oauth_client_metadata: { logo_uri: 'https://acme.com/logo.png' } };
  for (const [name, configurations] of [['Linear', logo], ['Notion', undefined], ['Sentry', { oauth_client_metadata: { client_name: 'logo_uri' } }]]) {
    await api('POST', '/v1/mcp-integrations', { name, slug: name.toLowerCase(), url: 'http://127.0.0.1:9/mcp', transport: 'http', auth_type: 'oauth_auto', configurations });
  }
  await api('POST', '/v1/mcp-servers', { name: 'Linear', slug: 'linear', mcp_integration_id: 'linear', workspace_id: 'acme', configurations: logo });
}

const palette = (page) => page.getByRole('dialog', { name: 'Command palette' });
const box = (page) => page.getByRole('combobox', { name: 'Go to, or do' });
const option = (page, name) => palette(page).getByRole('option', { name });
const open = async (page) => { await page.keyboard.press('ControlOrMeta+k'); await palette(page).waitFor(); };

// What is typed, what is offered, and where Enter leads once it is chosen.
const WANTED = [
  { type: 'notio', offers: /^Notion/, leads: /\/ui\/integrations\/notion$/ },
  { type: 'acme / lin', offers: /^Linear acme \/ linear/, leads: /\/ui\/workspaces\/acme\/servers\/linear$/ },
  { type: 'acm', offers: /^Acme/, leads: /\/ui\/workspaces\/acme$/ },
  { type: 'new api', offers: /^New API key/, leads: /\/ui\/api-keys\/new$/ },
  { type: 'invite', offers: /^Invite user/, leads: /\/ui\/settings\/people\/new$/ },
  { type: 'outgoing', offers: /^Outgoing requests/, leads: /\/ui\/settings\/outgoing$/ },
  { type: 'admin@', offers: /admin@/, leads: /\/ui\/settings\/people\/[^/]+$/ },
  { type: 'who sets logo_uri?', offers: /^Integration linear/, leads: /\/ui\/integrations\/linear\/config$/ },
  { type: 'logo_uri', offers: /^Server acme \/ linear/, leads: /\/ui\/workspaces\/acme\/servers\/linear\/config$/ },
  { type: 'logo_u', offers: /^Who sets logo_uri\?/, leads: /\/ui\/go\?q=who\+sets\+logo_uri$/ },
];

flow('the palette answers while one types, and the keyboard is enough', async ({ api, registry, page, visit, step }) => {
  await seed(api);
  await step('actions and recent places before anything is typed', async () => {
    await page.goto(`${registry.base}/ui/integrations/notion`);
    await page.goto(`${registry.base}/ui/integrations`);
    await open(page);
    await option(page, /^Notion integrations\/notion/).waitFor();
    await option(page, /^Invite user/).waitFor();
    await visit('palette-empty');
    await page.keyboard.press('Escape');
    await palette(page).waitFor({ state: 'hidden' });
  });
  for (const { type, offers, leads } of WANTED) {
    await step(type, async () => {
      await page.goto(`${registry.base}/ui/registrations`);
      await open(page);
      assert.ok(await box(page).evaluate((element) => element === document.activeElement), 'the focus is in the field');
      await page.keyboard.type(type);
      await palette(page).locator(`[role=listbox][data-answers="${type}"]`).waitFor();
      await option(page, offers).first().waitFor();
      const wanted = await option(page, offers).first().getAttribute('id');
      for (let presses = 0; await box(page).getAttribute('aria-activedescendant') !== wanted; presses += 1) {
        assert.ok(presses < 40, 'the arrows do not lead there');
        await page.keyboard.press('ArrowDown');
      }
      assert.equal(await option(page, offers).first().getAttribute('aria-selected'), 'true');
      if (type.startsWith('who')) {
        assert.equal(await option(page, /sentry/).count(), 0, 'a value is no member');
        await visit('palette-who');
      }
      await page.keyboard.press('Enter');
      await page.waitForURL(leads);
    });
  }
  await step('nothing is called so: Enter opens the page', async () => {
    await open(page);
    await page.keyboard.type('nothing-of-this-name');
    await palette(page).getByText('Nothing is called so.').waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/ui\/go\?q=nothing-of-this-name$/);
  });
  await step('Enter before an answer is there goes where the text says', async () => {
    await page.goto(`${registry.base}/ui/registrations`);
    await open(page);
    await option(page, /^Invite user/).waitFor();
    await box(page).evaluate((element) => { element.value = 'sentry'; });
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/ui\/integrations\/sentry$/);
  });
  await step('from the editor, and unsaved text is asked about', async () => {
    await page.goto(`${registry.base}/ui/integrations/notion/config`);
    await editor(page).fill('{ "x": 1 }');
    await open(page);
    await page.keyboard.type('linear');
    await palette(page).locator('[role=listbox][data-answers="linear"]').waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Leave without saving?' }).waitFor();
  });
}, SCRIPTED);

flow('a user is offered only what the role allows', async ({ t, api, registry, step }) => {
  await seed(api);
  await api('POST', '/v1/workspaces', { name: 'Beta', slug: 'beta' });
  const { sign_in_link: link } = await api('POST', '/v1/users', { email: 'grace@acme.com', name: 'Grace Hopper', workspaces: [{ workspace_id: 'beta', role: 'viewer' }] });
  const { page } = await openPage(t);
  await page.goto(new URL(link, registry.base).href);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.waitForURL(/done=link$/);
  const all = async (text) => {
    const answer = await page.request.get(`${registry.base}/ui/go/suggestions?q=${encodeURIComponent(text)}`);
    assert.equal(answer.status(), 200);
    return answer.text();
  };
  for (const [text, hidden] of [
    ['', ['Invite user', 'New API key', 'Add integration', 'New workspace', 'Import']],
    ['invite', ['Invite user']],
    ['outgoing', ['Outgoing requests']],
    ['admin', ['admin@']],
    ['who sets logo_uri?', ['Server acme', 'Organisation layer']],
    ['linear', ['acme / linear']],
  ]) {
    await step(`${text}: not ${hidden.join(', ')}`, async () => {
      const html = await all(text);
      for (const words of hidden) assert.ok(!html.includes(words), words);
    });
  }
  await step('nobody without a session', async () => {
    const answer = await fetch(`${registry.base}/ui/go/suggestions?q=linear`, { redirect: 'manual' });
    assert.notEqual(answer.status, 200);
  });
  await page.context().close();
}, SCRIPTED.slice(0, 1));

flow('the search page answers the same without a script', async ({ api, registry, page, visit, step }) => {
  await seed(api);
  await step('who sets logo_uri?', async () => {
    await page.goto(`${registry.base}/ui/go?q=who+sets+logo_uri%3F`);
    const setters = page.getByRole('region', { name: 'Who sets logo_uri?' });
    await setters.getByRole('link', { name: 'Integration linear' }).waitFor();
    await setters.getByRole('link', { name: 'Server acme / linear' }).waitFor();
    assert.equal(await setters.getByRole('link').count(), 2);
    await visit('search-who');
  });
}, MODES);
