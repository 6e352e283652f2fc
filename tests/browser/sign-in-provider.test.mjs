// Signing in by the organisation's identity provider, a real one: there, back, and everything that may go wrong on the way.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMIT, MODES, expectAccessible, flow, openPage, startRegistry } from './fixture.mjs';
import { identityProvider, signInThere, toProvider } from './identity-provider.mjs';

const workspaces = async (api) => {
  for (const [name, slug] of [['Acme Production', 'acme-prod'], ['Support', 'support']]) await api('POST', '/v1/workspaces', { name, slug });
};

/** The sign-in page with what went wrong on top, which has the focus. */
async function refused(page, words) {
  const alert = page.getByRole('alert').filter({ hasText: words });
  await alert.waitFor();
  assert.match(await page.title(), /^Problem: /);
  if (page.scripted) await page.locator('#problems:focus').waitFor();
  await page.getByRole('link', { name: 'Sign in with Acme login' }).waitFor();
}

flow('people come in with the roles of their groups, and those are not edited here', async ({ t, mode, registry, api, page, visit, step }) => {
  await workspaces(api);
  const grace = await openPage(t, { javaScriptEnabled: mode.script });
  await step('to where they wanted to go, as the manager of one workspace', async () => {
    await grace.page.goto(`${registry.base}/ui/account`);
    await grace.page.waitForURL(/\/ui\/sign-in\?/);
    await visit('sign-in-provider', grace.page);
    await toProvider(grace.page);
    await signInThere(grace.page, 'grace');
    await grace.page.waitForURL(/\/ui\/account$/);
    await grace.page.getByText('grace@acme.com, manager in Acme Production').waitFor();
    await visit('account-provider', grace.page);
    await grace.page.goto(`${registry.base}/ui/workspaces`);
    assert.equal(await grace.page.getByRole('link', { name: 'Support', exact: true }).count(), 0);
    await grace.page.goto(`${registry.base}/ui/integrations`);
    await grace.page.getByRole('link', { name: 'Add integration' }).first().waitFor();
  });
  await step('the list says where they come from, and which group gives what', async () => {
    await page.goto(`${registry.base}/ui/settings/people`);
    await page.getByRole('row').filter({ hasText: 'grace@acme.com, by Acme login' }).getByText('Manager in Acme Production').waitFor();
    await page.getByRole('row', { name: 'platform-admins Admin in the whole organisation' }).waitFor();
    await visit('people-provider');
  });
  await step('their roles are shown and cannot be changed', async () => {
    await page.getByRole('link', { name: 'Grace Hopper', exact: true }).click();
    await page.getByText('The groups at Acme login decide').waitFor();
    await page.getByText('Manager in Acme Production').waitFor();
    assert.equal(await page.getByRole('main').getByRole('combobox').count(), 0);
    assert.equal(await page.getByRole('button', { name: 'Save roles' }).count(), 0);
    await visit('person-provider');
  });
  await step('who is deactivated here is out at once, whatever the provider says', async () => {
    await page.getByRole('link', { name: 'Deactivate' }).click();
    await page.getByRole('main').getByRole('button', { name: 'Deactivate' }).click();
    await page.getByRole('status').filter({ hasText: 'They are signed out everywhere' }).waitFor();
    await grace.page.goto(`${registry.base}/ui/account`);
    await grace.page.waitForURL(/\/ui\/sign-in\?/);
    // The provider still knows her: it asks nothing.
    grace.expectStatus(422);
    await grace.page.getByRole('link', { name: 'Sign in with Acme login' }).click();
    await refused(grace.page, 'Your account is deactivated.');
    await visit('sign-in-deactivated', grace.page);
  });
  await grace.page.context().close();
}, MODES, identityProvider);

flow('whom the provider refuses, or does not vouch for, is told what to do', async ({ t, mode, registry, api, page, expectStatus, visit, step, stop }) => {
  await workspaces(api);
  const guest = await openPage(t, { javaScriptEnabled: mode.script });
  await step('who cancels there', async () => {
    await guest.page.goto(`${registry.base}/ui/sign-in`);
    await toProvider(guest.page);
    guest.expectStatus(422);
    await guest.page.getByRole('link', { name: '[ Cancel ]' }).click();
    await refused(guest.page, 'The identity provider did not let you in, or you cancelled there.');
    await visit('sign-in-denied', guest.page);
  });
  await step('whose groups mean nothing here', async () => {
    await toProvider(guest.page);
    guest.expectStatus(422);
    await signInThere(guest.page, 'edsger');
    await refused(guest.page, 'None of your groups at the identity provider gives you a role here.');
    await visit('sign-in-no-group', guest.page);
    const { data } = await api('GET', '/v1/users');
    assert.deepEqual(data.map(({ email }) => email), ['admin@localhost']);
  });
  await step('whose answer belongs to another browser', async () => {
    guest.expectStatus(422);
    await guest.page.goto(`${registry.base}/ui/sign-in/provider/callback?code=stolen&state=stolen`);
    await refused(guest.page, 'begun in another browser or too long ago');
    await visit('sign-in-lost', guest.page);
  });
  await step('while the provider goes away on the way', async () => {
    const { page: late, ...watch } = await openPage(t, { javaScriptEnabled: mode.script });
    await late.goto(`${registry.base}/ui/sign-in`);
    await toProvider(late);
    const state = new URL((await registryRedirect(late, registry)).url).searchParams.get('state');
    await stop();
    watch.expectStatus(422);
    await late.goto(`${registry.base}/ui/sign-in/provider/callback?code=unused&state=${state}`);
    await refused(late, 'did not work');
    await late.context().close();
  });
  await step('and sessions that are open go on', async () => {
    await page.goto(`${registry.base}/ui/settings/people`);
    await page.getByRole('heading', { name: 'Groups at Acme login' }).waitFor();
  });
  await guest.page.context().close();
}, MODES, identityProvider);

/** Begins another sign-in in this browser: where it would go. */
async function registryRedirect(page, registry) {
  const answer = await page.request.get(`${registry.base}/ui/sign-in/provider`, { maxRedirects: 0 });
  assert.equal(answer.status(), 303);
  return { url: answer.headers().location };
}

flow('a provider that is away is said to be, and the password works on', async ({ t, mode, registry, page, visit, step }) => {
  const guest = await openPage(t, { javaScriptEnabled: mode.script });
  await page.goto(`${registry.base}/ui/account`);
  await page.getByLabel('New password').fill('correct horse battery');
  await page.getByRole('button', { name: 'Set password' }).click();
  await page.getByRole('status').filter({ hasText: 'Your password is set.' }).waitFor();
  await step('it says so, and that trying again may help', async () => {
    await guest.page.goto(`${registry.base}/ui/audit`);
    await guest.page.waitForURL(/\/ui\/sign-in\?/);
    guest.expectStatus(503);
    await guest.page.getByRole('link', { name: 'Sign in with Acme login' }).click();
    await refused(guest.page, 'The identity provider cannot be used now. Try again shortly');
    await visit('sign-in-away', guest.page);
  });
  await step('a password leads to the same place', async () => {
    await guest.page.getByLabel('E-mail address').fill('admin@localhost');
    await guest.page.getByLabel('Password', { exact: true }).fill('correct horse battery');
    await guest.page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await guest.page.waitForURL(/\/ui\/audit$/);
  });
  await guest.page.context().close();
}, MODES, (t) => identityProvider(t, { started: false }));

test('where passwords are off, the provider is the only way on the page', { timeout: LIMIT }, async (t) => {
  const { environment } = await identityProvider(t);
  const registry = await startRegistry(t, { ...environment, MCP_REGISTRY__AUTH__PASSWORDS: 'false' });
  const { page } = await openPage(t);
  await page.goto(`${registry.base}/ui/sign-in`);
  assert.equal(await page.getByRole('textbox').count(), 0);
  await expectAccessible(page);
  await toProvider(page);
  await signInThere(page, 'ada');
  await page.waitForURL(/\/ui\/integrations$/);
  await page.goto(`${registry.base}/ui/account`);
  await page.getByText('ada@acme.com, admin').waitFor();
  assert.equal(await page.getByLabel('New password').count(), 0);
  // A link of the operator works on, and does not speak of passwords.
  const operator = await openPage(t);
  await operator.page.goto(registry.signInLink);
  await operator.page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await operator.page.waitForURL(/\/ui\/integrations$/);
  await operator.page.context().close();
  await page.context().close();
});
