// Users with a local account: invited, with a password, with roles by workspace, locked out, signed out, deactivated.
import assert from 'node:assert/strict';
import { flow, openPage } from './fixture.mjs';

const PASSWORD = 'correct horse battery';
const OTHER = 'staple trombone weather';
const GRACE = { email: 'grace@acme.com', name: 'Grace' };

const button = (page, name) => page.getByRole('button', { name, exact: true });
const said = (page, words) => page.getByRole('status').filter({ hasText: words });
const entry = (page, label) => page.getByLabel(label, { exact: true });

/** The summary of what is wrong: with JavaScript it has the focus, and its link leads to `field`. */
async function refusal(page, words, field) {
  const alert = page.getByRole('alert');
  await alert.filter({ hasText: words }).waitFor();
  assert.match(await page.title(), /^Problem: /);
  if (page.scripted) await page.locator('#problems:focus').waitFor();
  if (!field) return;
  await alert.getByRole('link').click();
  assert.equal(new URL(page.url()).hash, `#${await field.getAttribute('id')}`);
  assert.equal(await field.getAttribute('aria-invalid'), 'true');
}

async function signIn(page, registry, email, password) {
  await page.goto(`${registry.base}/ui/sign-in`);
  await entry(page, 'E-mail address').fill(email);
  await entry(page, 'Password').fill(password);
  await button(page, 'Sign in').click();
}

/** Somebody who came in by a link and set a password, in a browser of their own. */
async function arrive(t, mode, registry, api, person) {
  const { sign_in_link: link } = await api('POST', '/v1/users', person);
  const guest = await openPage(t, { javaScriptEnabled: mode.script });
  await guest.page.goto(new URL(link, registry.base).href);
  await button(guest.page, 'Sign in').click();
  await guest.page.goto(`${registry.base}/ui/account`);
  await entry(guest.page, 'New password').fill(PASSWORD);
  await button(guest.page, 'Set password').click();
  await said(guest.page, 'Your password is set.').waitFor();
  return guest;
}

flow('somebody is invited, sets a password and changes it', async ({ t, mode, registry, page, expectStatus, visit, step }) => {
  const guest = await openPage(t, { javaScriptEnabled: mode.script });
  let link;
  await step('an address that is known already is refused', async () => {
    await page.goto(`${registry.base}/ui/settings/people/new`);
    await entry(page, 'E-mail address').fill('admin@localhost');
    await entry(page, 'Name').fill('Somebody');
    expectStatus(422);
    await button(page, 'Make the link').click();
    await refusal(page, 'There is already a user with this e-mail address.', entry(page, 'E-mail address'));
    assert.equal(await entry(page, 'Name').inputValue(), 'Somebody');
    await visit('person-new-refused');
  });
  await step('the link is shown once', async () => {
    await entry(page, 'E-mail address').fill(GRACE.email);
    await entry(page, 'Name').fill(GRACE.name);
    await entry(page, 'Role').selectOption('viewer');
    await button(page, 'Make the link').click();
    link = await page.locator('#new-link').innerText();
    await visit('person-invited');
    await page.getByRole('link', { name: 'I have passed it on' }).click();
    await page.getByRole('row').filter({ hasText: GRACE.email }).getByText('Invited').waitFor();
    assert.ok(!(await page.content()).includes(link));
  });
  await step('a newer link ends the one before it', async () => {
    await page.getByRole('button', { name: 'New link for Grace' }).click();
    const old = link;
    link = await page.locator('#new-link').innerText();
    await guest.page.goto(old);
    guest.expectStatus(422);
    await button(guest.page, 'Sign in').click();
    await refusal(guest.page, 'used already or is too old');
    assert.equal(await button(guest.page, 'Sign in').count(), 0, 'no button that can only fail');
    await visit('sign-in-link-used', guest.page);
  });
  await step('it signs in, and leads to the password', async () => {
    await guest.page.goto(link);
    await visit('sign-in-link', guest.page);
    await button(guest.page, 'Sign in').click();
    await said(guest.page, 'the link is used up').waitFor();
    await visit('person-arrived', guest.page);
    await guest.page.getByRole('link', { name: 'Set a password' }).click();
    await guest.page.getByRole('heading', { name: 'Set a password' }).waitFor();
  });
  await step('one that is too short is refused', async () => {
    // This browser would say so first.
    await entry(guest.page, 'New password').evaluate((field) => { field.form.noValidate = true; });
    await entry(guest.page, 'New password').fill('short');
    guest.expectStatus(422);
    await button(guest.page, 'Set password').click();
    await refusal(guest.page, '12 to 256 characters', entry(guest.page, 'New password'));
    await visit('account-password-refused', guest.page);
    await entry(guest.page, 'New password').fill(PASSWORD);
    await button(guest.page, 'Set password').click();
    await said(guest.page, 'Your password is set.').waitFor();
  });
  const elsewhere = await openPage(t, { javaScriptEnabled: mode.script });
  await step('the password lets in elsewhere, and is changed', async () => {
    await signIn(elsewhere.page, registry, GRACE.email, PASSWORD);
    await elsewhere.page.waitForURL(/\/ui\/integrations$/);
    await guest.page.goto(`${registry.base}/ui/account`);
    await entry(guest.page, 'Present password').fill('not the present one');
    await entry(guest.page, 'New password').fill(OTHER);
    guest.expectStatus(422);
    await button(guest.page, 'Set password').click();
    await refusal(guest.page, 'This is not your present password.', entry(guest.page, 'Present password'));
    await visit('account-present-refused', guest.page);
    await entry(guest.page, 'Present password').fill(PASSWORD);
    await entry(guest.page, 'New password').fill(OTHER);
    await button(guest.page, 'Set password').click();
    await said(guest.page, 'Your other sessions have ended.').waitFor();
    await elsewhere.page.reload();
    await elsewhere.page.waitForURL(/\/ui\/sign-in\?/);
    elsewhere.expectStatus(422);
    await signIn(elsewhere.page, registry, GRACE.email, PASSWORD);
    await refusal(elsewhere.page, 'E-mail address or password is not right.');
    await visit('sign-in-wrong', elsewhere.page);
    await signIn(elsewhere.page, registry, GRACE.email, OTHER);
    await elsewhere.page.waitForURL(/\/ui\/integrations$/);
  });
  await step('a new link removes the user\'s password, after a confirmation', async () => {
    await page.goto(`${registry.base}/ui/settings/people`);
    await page.getByRole('link', { name: 'New link for Grace' }).click();
    await page.getByText('Their password ends at once').waitFor();
    await visit('person-link');
    await button(page, 'End the password, make a link').click();
    await page.locator('#new-link').waitFor();
    await elsewhere.page.context().clearCookies();
    elsewhere.expectStatus(422);
    await signIn(elsewhere.page, registry, GRACE.email, OTHER);
    await refusal(elsewhere.page, 'E-mail address or password is not right.');
    await elsewhere.page.context().close();
  });
  await guest.page.context().close();
});

flow('who is refused too often waits, is told how long, and comes in by a link', async ({ t, mode, registry, api, page, visit, step }) => {
  const { id } = await api('POST', '/v1/users', { ...GRACE, role: 'viewer' });
  const guest = await openPage(t, { javaScriptEnabled: mode.script });
  await step('five wrong passwords in a row cost half a minute', async () => {
    for (let tries = 0; tries < 5; tries += 1) {
      guest.expectStatus(422);
      await signIn(guest.page, registry, GRACE.email, 'a wrong password');
      await refusal(guest.page, 'is not right');
    }
    guest.expectStatus(429);
    await signIn(guest.page, registry, GRACE.email, 'a wrong password');
    await refusal(guest.page, 'too many login attempts');
    assert.match(await guest.page.getByRole('alert').innerText(), /Try again in \d\d? seconds, or use a one-time link/);
    assert.equal(await entry(guest.page, 'E-mail address').inputValue(), GRACE.email);
    await visit('sign-in-locked', guest.page);
  });
  await step('an address that nobody has is treated alike', async () => {
    for (let tries = 0; tries < 5; tries += 1) {
      guest.expectStatus(422);
      await signIn(guest.page, registry, 'nobody@acme.com', 'a wrong password');
      await refusal(guest.page, 'is not right');
    }
    guest.expectStatus(429);
    await signIn(guest.page, registry, 'nobody@acme.com', 'a wrong password');
    await refusal(guest.page, 'too many login attempts');
  });
  await step('the admin makes a link, and it lets in at once', async () => {
    await page.goto(`${registry.base}/ui/settings/people/${id}`);
    await button(page, 'New link').click();
    await guest.page.goto(await page.locator('#new-link').innerText());
    await button(guest.page, 'Sign in').click();
    await guest.page.waitForURL(/\/ui\/integrations\?done=link$/);
  });
  await guest.page.context().close();
});

flow('sessions are listed and end: one, the others, all of somebody', async ({ t, mode, registry, api, page, visit, step }) => {
  const grace = await arrive(t, mode, registry, api, { ...GRACE, role: 'viewer' });
  const others = [];
  for (let browsers = 0; browsers < 3; browsers += 1) {
    const other = await openPage(t, { javaScriptEnabled: mode.script });
    await signIn(other.page, registry, GRACE.email, PASSWORD);
    await other.page.waitForURL(/\/ui\/integrations$/);
    others.push(other.page);
  }
  const isOut = async (browser) => {
    await browser.goto(`${registry.base}/ui/account`);
    return new URL(browser.url()).pathname === '/ui/sign-in';
  };
  const list = grace.page.getByRole('table', { name: 'Your sessions' });
  await step('one of them', async () => {
    await grace.page.goto(`${registry.base}/ui/account`);
    assert.equal(await list.getByRole('row').count(), 1 + 4);
    assert.equal(await list.getByRole('row').filter({ hasText: 'this one' }).getByRole('button').count(), 0);
    await visit('account-sessions', grace.page);
    // The list has the last used first.
    await list.getByRole('button', { name: /^Sign out Chrome/ }).first().click();
    await said(grace.page, 'Signed out: 1 session.').waitFor();
    assert.deepEqual(await Promise.all(others.map(isOut)), [false, false, true]);
  });
  await step('the others', async () => {
    await button(grace.page, 'Sign out everywhere else').click();
    await said(grace.page, 'Signed out: 2 sessions.').waitFor();
    assert.deepEqual(await Promise.all(others.map(isOut)), [true, true, true]);
    assert.equal(await isOut(grace.page), false);
  });
  await step('all, by an admin', async () => {
    await page.goto(`${registry.base}/ui/settings/people`);
    await page.getByRole('link', { name: 'Grace', exact: true }).click();
    await visit('person-sessions');
    await button(page, 'Sign out everywhere').click();
    await said(page, 'Signed out: 1 session.').waitFor();
    await page.getByText('Nowhere.').waitFor();
    assert.equal(await isOut(grace.page), true);
  });
  for (const browser of [grace.page, ...others]) await browser.context().close();
});

flow('somebody has roles by workspace, acts in one of them, and is out at once when deactivated', async ({ t, mode, registry, api, page, expectStatus, visit, step }) => {
  for (const [name, slug] of [['Acme Production', 'acme-prod'], ['Support', 'support'], ['Data Science', 'data-science']]) await api('POST', '/v1/workspaces', { name, slug });
  const grace = await arrive(t, mode, registry, api, { ...GRACE, workspaces: [{ workspace_id: 'support', role: 'viewer' }] });
  const account = `${registry.base}/ui/account`;
  await step('a viewer of one workspace sees that one, and no button for what they may not do', async () => {
    await grace.page.goto(`${registry.base}/ui/workspaces`);
    await grace.page.getByRole('link', { name: 'Support', exact: true }).waitFor();
    assert.equal(await grace.page.getByRole('link', { name: 'Acme Production' }).count(), 0);
    await grace.page.goto(`${registry.base}/ui/integrations`);
    assert.equal(await grace.page.getByRole('link', { name: 'Add integration' }).count(), 0);
    for (const section of ['API keys', 'Audit log', 'Settings']) assert.equal(await grace.page.getByRole('link', { name: section }).count(), 0);
    await visit('viewer-integrations', grace.page);
    for (const path of ['/ui/audit', '/ui/settings/people', '/ui/settings/people/new', '/ui/api-keys']) {
      grace.expectStatus(403);
      assert.equal((await grace.page.goto(registry.base + path)).status(), 403, path);
    }
    assert.match(await grace.page.getByRole('main').innerText(), /signed in as Grace, viewer in Support/);
    await visit('viewer-refused', grace.page);
  });
  await step('a second role is added, the first one raised', async () => {
    await page.goto(`${registry.base}/ui/settings/people`);
    await page.getByRole('link', { name: 'Grace', exact: true }).click();
    await entry(page, 'Support').selectOption('manager');
    await entry(page, 'Another workspace').selectOption('Acme Production');
    await entry(page, 'Role in the other workspace').selectOption('viewer');
    await button(page, 'Save roles').click();
    await said(page, 'What they may do is changed.').waitFor();
    await visit('person-roles');
    await page.goto(`${registry.base}/ui/settings/people`);
    await page.getByRole('row').filter({ hasText: GRACE.email }).getByText('Viewer in Acme Production, Manager in Support').waitFor();
  });
  await step('they choose where they act', async () => {
    await grace.page.goto(account);
    await grace.page.getByRole('combobox', { name: 'Where you act' }).selectOption('Support (manager)');
    await button(grace.page, 'Act there').click();
    await grace.page.getByText('grace@acme.com, manager in Support').waitFor();
    await visit('account-places', grace.page);
    await grace.page.goto(`${registry.base}/ui/integrations`);
    await grace.page.getByRole('link', { name: 'Add integration' }).first().waitFor();
    await grace.page.goto(account);
    await grace.page.getByRole('combobox', { name: 'Where you act' }).selectOption('Acme Production (viewer)');
    await button(grace.page, 'Act there').click();
    await grace.page.goto(`${registry.base}/ui/integrations`);
    assert.equal(await grace.page.getByRole('link', { name: 'Add integration' }).count(), 0);
  });
  await step('nobody is left without any role', async () => {
    await page.getByRole('link', { name: 'Grace', exact: true }).click();
    for (const workspace of ['Acme Production', 'Support']) await entry(page, workspace).selectOption('none');
    expectStatus(422);
    await button(page, 'Save roles').click();
    await refusal(page, 'Give a role', entry(page, 'In the whole organisation'));
    await visit('person-roles-refused');
  });
  await step('the last admin stays one, and stays', async () => {
    await page.goto(`${registry.base}/ui/settings/people`);
    await page.getByRole('link', { name: 'admin', exact: true }).click();
    await entry(page, 'In the whole organisation').selectOption('viewer');
    expectStatus(422);
    await button(page, 'Save roles').click();
    await refusal(page, 'admin is the last admin who can sign in', entry(page, 'In the whole organisation'));
    await visit('person-last-admin');
    await page.getByRole('link', { name: 'Deactivate' }).click();
    // The refused role is not saved.
    if (mode.script) await page.getByRole('dialog', { name: 'Leave without saving?' }).getByRole('button', { name: 'Leave' }).click();
    await page.getByText('This is you.').waitFor();
    expectStatus(409);
    await button(page, 'Deactivate').click();
    await refusal(page, 'admin is the last admin who can sign in');
    await visit('people-last-admin');
    await page.goto(account);
    await page.getByText('admin@localhost, admin').waitFor();
  });
  await step('who is deactivated is out at once, and cannot come back', async () => {
    await page.goto(`${registry.base}/ui/settings/people`);
    await page.getByRole('link', { name: 'Deactivate Grace' }).click();
    await visit('person-deactivate');
    await button(page, 'Deactivate').click();
    await said(page, 'They are signed out everywhere and cannot sign in.').waitFor();
    await visit('people-deactivated');
    await grace.page.goto(account);
    await grace.page.waitForURL(/\/ui\/sign-in\?/);
    grace.expectStatus(422);
    await signIn(grace.page, registry, GRACE.email, PASSWORD);
    await refusal(grace.page, 'is not right');
  });
  await step('until they are reactivated', async () => {
    await page.getByRole('link', { name: 'Grace', exact: true }).click();
    await page.getByText('Deactivated', { exact: true }).first().waitFor();
    await visit('person-deactivated');
    await button(page, 'Reactivate').click();
    await said(page, 'They may sign in again.').waitFor();
    await signIn(grace.page, registry, GRACE.email, PASSWORD);
    await grace.page.waitForURL(/\/ui\/integrations$/);
  });
  await grace.page.context().close();
});
