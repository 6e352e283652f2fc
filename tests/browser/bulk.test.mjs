// New clients for registrations that failed, are outdated or unconfirmed, mixed: what costs something is asked about first.
import assert from 'node:assert/strict';
import { flow, MODES, startSandbox } from './fixture.mjs';

const button = (page, name) => page.getByRole('button', { name, exact: true });
const status = (page, text) => page.getByRole('status').filter({ hasText: text }).waitFor();

async function registrations(api) {
  const { data } = await api('GET', '/v1/registrations?page_size=100');
  return Object.fromEntries(data.map((one) => [one.workspace_slug, one]));
}

async function until(api, slug, state) {
  for (;;) {
    const one = (await registrations(api))[slug];
    if (one?.state === state) return one;
  }
}

async function server(api, workspace) {
  await api('POST', '/v1/workspaces', { name: workspace, slug: workspace });
  await api('POST', '/v1/mcp-servers', { name: 'Linear', slug: 'linear', mcp_integration_id: 'linear', workspace_id: workspace });
}

/** One integration with a client that serves but is outdated, a registration whose answer was lost, and one that was refused. */
async function mixed({ t, registry, api }) {
  const upstream = await startSandbox(t, { no_management: true });
  await api('POST', '/v1/mcp-integrations', {
    name: 'Linear', slug: 'linear', url: upstream.mcpUrl, transport: 'http', auth_type: 'oauth_auto',
    configurations: { registration: { replace: 'ask' } },
  });
  await server(api, 'outdated');
  await until(api, 'outdated', 'registered');
  const gateway = await registry.run('key', 'create', '--name', 'eu-1', '--role', 'gateway');
  await registry.api(gateway)('GET', '/v1/gateway/servers/outdated/linear');
  await api('PUT', '/v1/mcp-integrations/linear', {
    configurations: { registration: { replace: 'ask' }, oauth_client_metadata: { client_name: 'Acme' } },
  });
  const before = await until(api, 'outdated', 'outdated');
  await upstream.quirks({ no_management: true, lost_answers: 9 });
  await server(api, 'lost');
  await until(api, 'lost', 'unconfirmed');
  await upstream.quirks({ no_management: true, registration_refusal: { status: 400, error: 'invalid_client_metadata', description: 'not today' } });
  await server(api, 'refused');
  await until(api, 'refused', 'failed');
  await upstream.quirks({ no_management: true });
  return before;
}

flow('failed means failed; everything else is asked about by what it costs', async ({ t, registry, api, page, visit, step }) => {
  const before = await mixed({ t, registry, api });
  const list = `${registry.base}/ui/integrations?view=attention`;

  await step('sees what each choice costs, and leaves it', async () => {
    await page.goto(list);
    await page.getByRole('checkbox', { name: 'Select Linear' }).check();
    await button(page, 'Re-register…').click();
    await page.getByRole('heading', { name: 'Register new clients for Linear?' }).waitFor();
    assert.ok(await page.getByRole('checkbox', { name: 'Failed', exact: true }).isChecked());
    assert.ok(!(await page.getByRole('checkbox', { name: 'Outdated', exact: true }).isChecked()));
    assert.ok(!(await page.getByRole('checkbox', { name: 'Unconfirmed', exact: true }).isChecked()));
    await page.getByText('Users must sign in again: 1').waitFor();
    await page.getByText('Users do not notice: 1').waitFor();
    await visit('bulk-mixed');
    await page.getByRole('link', { name: 'Cancel' }).click();
    await page.waitForURL(list);
  });

  await step('registers the failed one again, and nothing else', async () => {
    await page.getByRole('checkbox', { name: 'Select Linear' }).check();
    await button(page, 'Re-register failed').click();
    await status(page, '1 registration queued.');
    await until(api, 'refused', 'registered');
    const now = await registrations(api);
    assert.deepEqual([now.outdated.client_id, now.outdated.state, now.lost.state], [before.client_id, 'outdated', 'unconfirmed']);
  });

  await step('agrees that users of the outdated client sign in again', async () => {
    await page.goto(`${registry.base}/ui/integrations/linear`);
    await page.getByRole('link', { name: 'Re-register…' }).click();
    await page.getByRole('checkbox', { name: 'Outdated', exact: true }).check();
    await button(page, 'Register new clients').click();
    await status(page, '1 registration queued.');
    const replaced = await until(api, 'outdated', 'registered');
    assert.notEqual(replaced.client_id, before.client_id);
    assert.equal((await registrations(api)).lost.state, 'unconfirmed');
  });

  await step('sends the one whose answer was lost again, after a question', async () => {
    const { id } = (await registrations(api)).lost;
    await page.goto(`${registry.base}/ui/registrations/${id}`);
    await page.getByRole('link', { name: 'Send again…' }).click();
    await page.getByText('A client may stay behind at the authorization server.').waitFor();
    await visit('retry-unconfirmed');
    await button(page, 'Send again').click();
    await until(api, 'lost', 'registered');
  });
}, MODES, async () => ({ environment: { MCP_REGISTRY__WORKER__UNCONFIRMED_PAUSE: '86400' } }));
