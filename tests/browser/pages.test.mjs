// Every page, in both themes and two widths: no axe violation, no sideways overflow (at 320 px too), nothing on the console, no
// request to elsewhere, an answer of 200. The same run makes the pictures.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { demoData } from './demo-data.mjs';
import { expectAccessible, openPage, picture, signIn, startRegistry } from './fixture.mjs';

const PAGES = [
  ['integrations', '/ui/integrations'],
  ['integrations-filtered', '/ui/integrations?q=lin'],
  ['integration', '/ui/integrations/linear'],
  ['configuration', '/ui/integrations/linear/config'],
  ['workspaces', '/ui/workspaces'],
  ['workspace', '/ui/workspaces/acme-prod'],
  ['registrations', '/ui/registrations'],
  ['registration-failed', ({ failed }) => `/ui/registrations/${failed}`],
  ['organisation', '/ui/settings/organisation'],
  ['api-keys', '/ui/api-keys'],
  ['account', '/ui/account'],
];

const LOOKS = ['light', 'dark'].flatMap((colorScheme) => [1440, 390].map((width) => ({ colorScheme, width })));

test('every page is accessible, quiet and fits', async (t) => {
  const registry = await startRegistry(t);
  const ids = await demoData(t, registry);
  const { page } = await openPage(t);
  await signIn(page, registry);
  const storageState = await page.context().storageState();
  for (const { colorScheme, width } of LOOKS) {
    await t.test(`${colorScheme}, ${width} px`, async (t) => {
      const { page } = await openPage(t, { viewport: { width, height: 1000 }, colorScheme, storageState });
      for (const [name, address] of PAGES) {
        const path = typeof address === 'string' ? address : address(ids);
        const answer = await page.goto(registry.base + path);
        assert.equal(answer.status(), 200, path);
        await expectAccessible(page);
        await expectFits(page, width);
        if (width === 390) {
          await page.setViewportSize({ width: 320, height: 1000 });
          await expectFits(page, 320);
          await page.setViewportSize({ width, height: 1000 });
        }
        await picture(page, `${name}-${colorScheme}-${width}`);
      }
    });
  }
});

async function expectFits(page, width) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(over <= 0, `${page.url()} is ${over} px too wide at ${width} px`);
}
