// Every page, in both themes and two widths: no axe violation, no sideways overflow (at 320 px too), nothing on the console, no
// request to elsewhere, an answer of 200 (or of the status beside it). The same run makes the pictures.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEMO_FILES, demoData } from './demo-data.mjs';
import { AT_ONCE, LIMIT, accessibilityProblems, openPage, picture, signIn, startRegistry } from './fixture.mjs';
import { identityProvider, signInThere, toProvider } from './identity-provider.mjs';

const PAGES = [
  ['integrations', '/ui/integrations'],
  ['integrations-attention', '/ui/integrations?view=attention&sort=failures'],
  ['integrations-none', '/ui/integrations?q=nobody&ws=acme-prod'],
  ['integrations-import', '/ui/integrations/new/import'],
  ['wizard-url', '/ui/integrations/new'],
  ['integration', '/ui/integrations/linear'],
  ['integration-edit', '/ui/integrations/linear/edit'],
  ['integration-duplicate', '/ui/integrations/linear/duplicate'],
  ['integration-disable', '/ui/integrations/linear/disable'],
  ['integration-delete', '/ui/integrations/linear/delete'],
  ['configuration', '/ui/integrations/linear/config'],
  ['configuration-form', '/ui/integrations/linear/config?as=form'],
  ['configuration-secret', '/ui/integrations/github/config'],
  ['configuration-mapped', '/ui/integrations/wiki/config'],
  ['configuration-workspace', '/ui/workspaces/acme-prod/integrations/linear/config'],
  ['configuration-server', '/ui/workspaces/acme-prod/servers/linear-acme-prod/config'],
  ['organisation', '/ui/settings/organisation'],
  ['access', '/ui/integrations/linear/access'],
  ['capabilities', '/ui/integrations/linear/capabilities'],
  ['capabilities-resources', '/ui/integrations/linear/capabilities?kind=resource&q=linear'],
  ['capabilities-none', '/ui/integrations/linear/capabilities?q=nobody'],
  ['capabilities-unknown', '/ui/integrations/wiki/capabilities'],
  ['history', '/ui/integrations/atlassian/history'],
  ['history-sent', '/ui/integrations/atlassian/history?of=sent'],
  ['restore', '/ui/integrations/atlassian/history/restore?number=1'],
  ['history-empty', '/ui/workspaces/acme-prod/integrations/linear/history'],
  ['registrations', '/ui/registrations'],
  ['registrations-failed', '/ui/registrations?state=failed'],
  ['registration-registered', ({ registered }) => `/ui/registrations/${registered}`],
  ['registration-failed', ({ failed }) => `/ui/registrations/${failed}`],
  ['registration-outdated', ({ outdated }) => `/ui/registrations/${outdated}`],
  ['registration-unconfirmed', ({ unconfirmed }) => `/ui/registrations/${unconfirmed}`],
  ['registration-retrying', ({ retrying }) => `/ui/registrations/${retrying}`],
  ['registration-client', ({ failed }) => `/ui/registrations/${failed}/client`],
  ['registration-reregister', ({ registered }) => `/ui/registrations/${registered}/re-register`],
  ['registration-approve', ({ outdated }) => `/ui/registrations/${outdated}/approve`],
  ['orphans', '/ui/orphans'],
  ['rollouts', '/ui/rollouts'],
  ['workspaces', '/ui/workspaces'],
  ['workspace-new', '/ui/workspaces/new'],
  ['workspace', '/ui/workspaces/acme-prod'],
  ['workspace-delete', '/ui/workspaces/support/delete'],
  ['server', '/ui/workspaces/acme-prod/servers/linear-acme-prod'],
  ['server-capabilities', '/ui/workspaces/acme-prod/servers/linear-acme-prod/capabilities'],
  ['server-users', '/ui/workspaces/acme-prod/servers/linear-acme-prod/users'],
  ['server-users-none', '/ui/workspaces/acme-prod/servers/linear-acme-prod/users?q=nobody'],
  ['go', '/ui/go?q=acme'],
  ['api-keys', '/ui/api-keys'],
  ['api-key-new', '/ui/api-keys/new'],
  ['audit', '/ui/audit'],
  ['audit-none', '/ui/audit?actor=nobody'],
  ['settings', '/ui/settings'],
  ['settings-gateways', '/ui/settings/gateways'],
  ['settings-outgoing', '/ui/settings/outgoing'],
  ['people', '/ui/settings/people'],
  ['person-new', '/ui/settings/people/new'],
  ['person', ({ invited }) => `/ui/settings/people/${invited}`],
  ['person-provider', ({ provided }) => `/ui/settings/people/${provided}`],
  ['person-deactivated', ({ gone }) => `/ui/settings/people/${gone}`],
  ['person-link', ({ provided }) => `/ui/settings/people/${provided}/link`],
  ['person-deactivate', ({ provided }) => `/ui/settings/people/${provided}/deactivate`],
  ['sign-in', '/ui/sign-in'],
  ['sign-in-ended', '/ui/sign-in?ended=yes&next=/ui/audit'],
  ['sign-in-lost', '/ui/sign-in/provider/callback?code=c&state=s', 422],
  ['sign-in-link', '/ui/sign-in/link?token=t'],
  ['sign-in-link-empty', '/ui/sign-in/link'],
  ['account', '/ui/account'],
  ['keys', '/ui/keys'],
];

const THEMES = ['light', 'dark'];
const WIDTHS = [1440, 390];
/** So many pages are one test, with a context of its own. */
const EACH = 12;

test('every page is accessible, quiet and fits', { concurrency: AT_ONCE }, async (t) => {
  const { environment } = await identityProvider(t);
  const registry = await startRegistry(t, environment, DEMO_FILES);
  const ids = await demoData(t, registry);
  const { page } = await openPage(t);
  await signIn(page, registry);
  const storageState = await page.context().storageState();
  ids.provided = await somebodyOfTheProvider(t, registry, page);
  const tests = [];
  for (const width of WIDTHS) {
    for (let first = 0; first < PAGES.length; first += EACH) {
      const pages = PAGES.slice(first, first + EACH);
      const title = `${width} px, ${pages[0][0]} to ${pages.at(-1)[0]}`;
      tests.push(t.test(title, { timeout: LIMIT }, (t) => look(t, { registry, ids, pages, width, storageState })));
    }
  }
  await Promise.all(tests);
});

/** Opens each of `pages` in a window of this width, and looks at it in each theme. */
async function look(t, { registry, ids, pages, width, storageState }) {
  const { page, complaints, expectStatus } = await openPage(t, { viewport: { width, height: 1000 }, storageState });
  const wrong = [];
  for (const [name, address, expected = 200] of pages) {
    if (expected !== 200) expectStatus(expected);
    const answer = await page.goto(registry.base + (typeof address === 'string' ? address : address(ids)));
    if (answer.status() !== expected) wrong.push(`${name}: answered ${answer.status()}`);
    for (const colorScheme of THEMES) {
      await page.emulateMedia({ colorScheme });
      // A theme changes colours only.
      const axe = await accessibilityProblems(page, colorScheme === THEMES[0] ? undefined : ['color-contrast']);
      const over = await sidewaysOverflow(page, width);
      t.diagnostic(`${name}, ${colorScheme}: axe ${axe.length}, console ${complaints.length}, overflow ${over.length}`);
      wrong.push(...[...axe, ...over, ...complaints.splice(0)].map((what) => `${name}, ${colorScheme}: ${what}`));
      await picture(page, `${name}-${colorScheme}-${width}`);
    }
  }
  assert.deepEqual(wrong, []);
}

/** Signs somebody in by the identity provider; answers with their id, which `page` of an admin finds. */
async function somebodyOfTheProvider(t, registry, page) {
  const guest = await openPage(t);
  await guest.page.goto(`${registry.base}/ui/sign-in`);
  await toProvider(guest.page);
  await signInThere(guest.page, 'grace');
  await guest.page.waitForURL(/\/ui\/integrations$/);
  await guest.page.context().close();
  await page.goto(`${registry.base}/ui/settings/people`);
  return (await page.getByRole('link', { name: 'Grace Hopper', exact: true }).getAttribute('href')).split('/').at(-1);
}

/** The widths at which the page is wider than the window: the one it is looked at in, and 320 px beside a narrow one. */
async function sidewaysOverflow(page, width) {
  const found = [];
  for (const at of width === 390 ? [320, width] : [width]) {
    await page.setViewportSize({ width: at, height: 1000 });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (over > 0) found.push(`${over} px too wide at ${at} px`);
  }
  return found;
}
