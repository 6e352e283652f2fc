// The Advanced configuration as an admin writes it: the documented examples, the mistakes people make most, the form, secrets.
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { editor, flow, MODES, press, reloadUntil, startSandbox, type } from './fixture.mjs';
import { EXAMPLES } from './examples.mjs';

// Frequent mistakes, whether they prevent saving, the exact message of the page, and the button that fixes them.
const MISTAKES = [
  {
    of: 'a doubled wrapper',
    text: '{ "oauth_client_metadata": { "oauth_client_metadata": { "client_name": "Acme" } } }',
    refused: true,
    says: 'oauth_client_metadata is wrapped twice: its members belong one level up.',
    fix: /^Remove one/,
  },
  { of: 'a typo', text: '{ "oauth_client_metadata": { "client_nam": "Acme" } }', says: 'client_nam is not a known member of oauth_client_metadata and has no effect.', fix: /^Rename to client_name/ },
  { of: 'a logo over http', text: '{ "oauth_client_metadata": { "logo_uri": "http://acme.com/logo.png" } }', says: 'logo_uri should be an https URL: authorization servers refuse or hide others.', fix: /^Use https/ },
  { of: 'redirect_uris given', text: '{ "oauth_client_metadata": { "redirect_uris": ["https://acme.com/cb"] } }', says: "redirect_uris is not used: the callback is always the gateway's own, so that tokens reach only the gateway.", fix: /^Remove/ },
  { of: 'a secret without an id', text: '{ "oauth_client_metadata": { "client_secret": "a-secret-that-nobody-sees" } }', refused: true, says: /client_secret.*client_id/ },
];

async function linear(t, api) {
  const { mcpUrl } = await startSandbox(t);
  await api('POST', '/v1/workspaces', { name: 'Acme', slug: 'acme' });
  await api('POST', '/v1/mcp-integrations', { name: 'Linear', slug: 'linear', url: mcpUrl, transport: 'http', auth_type: 'oauth_auto' });
  await api('POST', '/v1/mcp-servers', { name: 'Linear', slug: 'linear', mcp_integration_id: 'linear', workspace_id: 'acme' });
}

const button = (page, name) => page.getByRole('button', { name, exact: true });
const stored = async (api) => (await api('GET', '/v1/mcp-integrations/linear')).configurations;

flow('the three documented examples are typed and saved by keyboard', async ({ t, registry, api, page, step }) => {
  await linear(t, api);
  let version = 0;
  for (const [name, text] of Object.entries(EXAMPLES)) {
    await step(name, async () => {
      await page.goto(`${registry.base}/ui/integrations/linear/config`);
      await type(page, await editor(page).ready(), text);
      await press(page, button(page, 'Save'));
      version += 1;
      await page.getByRole('status').filter({ hasText: `Saved as v${version}.` }).waitFor();
      assert.deepEqual(await stored(api), JSON.parse(text));
      const sent = page.getByRole('table', { name: /^Resolved client metadata/ });
      for (const [member, value] of Object.entries(JSON.parse(text).oauth_client_metadata)) {
        const row = sent.getByRole('row').filter({ has: page.getByRole('rowheader', { name: member, exact: true }) }).filter({ hasText: 'Integration' });
        assert.ok((await row.innerText()).includes([value].flat().join(', ')), member);
      }
    });
  }
});

flow('the mistakes people make most are named, with their line and a way out', async ({ t, registry, api, page, expectStatus, visit, step }) => {
  await linear(t, api);
  for (const { of, text, says, refused, fix } of MISTAKES) {
    await step(of, async () => {
      await page.goto(`${registry.base}/ui/integrations/linear/config`);
      await type(page, await editor(page).ready(), text);
      if (refused) expectStatus(422);
      await press(page, button(page, refused ? 'Save' : 'Check'));
      await page.getByRole(refused ? 'alert' : 'status').first().waitFor();
      const said = (await page.getByRole('list', { name: 'Problems' }).innerText()).replace(/\s+/g, ' ');
      assert.ok(typeof says === 'string' ? said.includes(says) : says.test(said), said);
      t.diagnostic(`${of}: ${said}`);
      assert.equal(await stored(api), null, 'nothing is saved');
      assert.equal(await editor(page).value(), text, 'every character is kept');
      await visit(`mistake-${of.split(' ').at(-1)}`);
      if (!fix) return;
      await press(page, page.getByRole('button', { name: fix }));
      await page.getByRole('status').filter({ hasText: 'not saved.' }).waitFor();
      assert.notEqual(await editor(page).value(), text);
      assert.equal(await page.getByRole('list', { name: 'Problems' }).getByText('Error').count(), 0);
    });
  }
});

flow('the form changes one value and leaves the rest of the text alone', async ({ t, registry, api, page, visit, step }) => {
  await linear(t, api);
  const text = '{\n    "x-team" : "platform",\n    "oauth_client_metadata": { "client_name": "Acme",   "scope": "mcp:read" }\n}';
  await step('a text of one\'s own layout, with a member that the form does not know', async () => {
    await page.goto(`${registry.base}/ui/integrations/linear/config`);
    await editor(page).fill(text);
    await button(page, 'Save').click();
    await page.getByRole('status').filter({ hasText: 'Saved as v1.' }).waitFor();
  });
  await step('one field', async () => {
    await button(page, 'Form').click();
    await page.getByLabel('Client name').fill('Acme Corp');
    await visit('configuration-form');
    await button(page, 'Save').click();
    await page.getByRole('status').filter({ hasText: 'Saved as v2.' }).waitFor();
    await page.goto(`${registry.base}/ui/integrations/linear/config?as=json`);
    assert.equal(await editor(page).value(), text.replace('Acme', 'Acme Corp'));
  });
  await step('"Use inherited" takes a member out', async () => {
    await page.goto(`${registry.base}/ui/integrations/linear/config?as=form`);
    await button(page, 'Use inherited for Scope').click();
    await page.getByRole('status').filter({ hasText: 'Removed, not saved.' }).waitFor();
    await button(page, 'Save').click();
    await page.getByRole('status').filter({ hasText: 'Saved as v3.' }).waitFor();
    assert.deepEqual(await stored(api), { 'x-team': 'platform', oauth_client_metadata: { client_name: 'Acme Corp' } });
  });
});

flow('a secret is sealed, replaced and removed, and never shown', async ({ t, registry, api, page, visit, step }) => {
  await linear(t, api);
  const secrets = ['the-first-secret', 'the-second-secret'];
  const unseen = async () => {
    const html = await page.content();
    for (const secret of secrets) assert.ok(!html.includes(secret), 'a secret stands on the page');
  };
  await step('sealed when saved', async () => {
    await page.goto(`${registry.base}/ui/integrations/linear/config`);
    await editor(page).fill(`{ "oauth_client_metadata": { "client_id": "acme", "client_secret": "${secrets[0]}" } }`);
    await button(page, 'Save').click();
    await page.getByRole('status').filter({ hasText: 'Saved as v1.' }).waitFor();
    await unseen();
    await visit('configuration-secret');
  });
  await step('replaced', async () => {
    const before = await stored(api);
    await page.getByText('Replace', { exact: false }).filter({ visible: true }).first().click();
    await page.getByLabel('New secret for client_secret').fill(secrets[1]);
    await button(page, 'Save').click();
    await page.getByRole('status').filter({ hasText: 'Saved as v2.' }).waitFor();
    assert.notDeepEqual(await stored(api), before);
    await unseen();
  });
  await step('removed', async () => {
    await button(page, 'Remove client_secret').click();
    await page.getByRole('status').filter({ hasText: 'Removed, not saved.' }).waitFor();
    await button(page, 'Save').click();
    await page.getByRole('status').filter({ hasText: 'Saved as v3.' }).waitFor();
    assert.deepEqual(await stored(api), { oauth_client_metadata: { client_id: 'acme' } });
  });
});

const SECRETS = {
  'registry.toml': '[secrets.linear]\nfile = "linear.secret"\n\n[secrets.acme]\nfile = "acme.secret"\n',
  'linear.secret': '{ "x-api-key": "canary-of-the-integration" }',
  'acme.secret': '{ "fields": { "x-team": "canary-of-the-server" } }',
};

flow('members that come from named secrets are shown, with what is wrong with them', async ({ registry, api, page, expectStatus, visit, step }) => {
  await api('POST', '/v1/workspaces', { name: 'Acme', slug: 'acme' });
  const maps = (more) => [{ target_field: 'configurations.headers', value_format: 'json', ...more }];
  await api('POST', '/v1/mcp-integrations', {
    name: 'Linear', slug: 'linear', url: 'https://mcp.linear.app/mcp', transport: 'http', auth_type: 'headers', secret_mappings: maps({ secret_reference_id: 'linear' }),
  });
  await api('POST', '/v1/mcp-servers', {
    name: 'Linear', slug: 'linear', mcp_integration_id: 'linear', workspace_id: 'acme', secret_mappings: maps({ secret_reference_id: 'acme', secret_key: 'fields' }),
  });
  const named = page.getByRole('region', { name: 'From named secrets' }).getByRole('listitem');
  const config = `${registry.base}/ui/integrations/linear/config`;
  await step('of the integration', async () => {
    await page.goto(config);
    assert.match(await named.innerText(), /headers\s+from linear\s+Read/);
    await page.getByText('Nothing is set here beside the named secrets.').waitFor();
    await visit('configuration-mapped-read');
    await page.goto(`${registry.base}/ui/integrations/linear`);
    await page.getByText('headers from linear').waitFor();
  });
  await step('and of the server', async () => {
    await page.goto(`${registry.base}/ui/workspaces/acme/servers/linear/config`);
    assert.match(await named.innerText(), /headers\s+from acme, its member fields\s+Read/);
    await page.goto(`${registry.base}/ui/workspaces/acme/servers/linear`);
    await page.getByText('headers from acme').waitFor();
    await visit('server-mapped');
  });
  await step('the same member is refused in the text', async () => {
    await page.goto(config);
    await editor(page).fill('{ "headers": { "x-api-key": "typed" } }');
    expectStatus(422);
    await button(page, 'Save').click();
    await page.getByRole('alert').filter({ hasText: 'headers comes from the secret linear' }).waitFor();
  });
  await step('what cannot be read any more is said, with what stays in use', async () => {
    await rm(join(registry.folder, 'linear.secret'));
    await page.goto(config);
    // Secrets are read again each minute.
    await reloadUntil(page, named.getByText('Not read', { exact: true }), 90);
    assert.match(await named.innerText(), /the previous value stays in use/);
    assert.ok(!(await page.content()).includes('canary'));
    await visit('configuration-mapped-unread');
    await page.goto(`${registry.base}/ui/integrations/linear`);
    await page.getByRole('link', { name: 'cannot be read now' }).click();
    await page.waitForURL(/\/config$/);
  });
}, MODES.slice(0, 1), async () => ({ files: SECRETS }));
