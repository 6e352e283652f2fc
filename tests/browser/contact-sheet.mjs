// Makes docs/images/contact-sheet.jpg of the pictures in a folder, and keeps those that the guide shows as JPEG.
//   node tests/browser/contact-sheet.mjs FOLDER
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { setting } from './fixture.mjs';

const folder = process.argv[2];
const images = fileURLToPath(new URL('../../docs/images/', import.meta.url));
const names = (await readdir(folder)).filter((name) => name.endsWith('.png')).sort();
const guide = await readFile(new URL('../../docs/admin-guide.md', import.meta.url), 'utf8');
const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
const shown = [...(guide + readme).matchAll(/images\/([\w-]+)\.jpg/g)].map(([, name]) => name).filter((name) => name !== 'contact-sheet');

const browser = await chromium.launch({ executablePath: setting('MCP_REGISTRY_TEST_CHROMIUM'), args: ['--no-sandbox', '--disable-gpu'] });
const page = await browser.newPage();
const source = async (name) => `data:image/png;base64,${(await readFile(join(folder, name))).toString('base64')}`;

async function shoot(html, width, path, quality) {
  await page.setViewportSize({ width, height: 800 });
  await page.setContent(html);
  await page.waitForFunction(() => [...document.images].every((image) => image.complete));
  await page.locator('main').screenshot({ path, type: 'jpeg', quality });
}

// The sheet shows the main pages, in both themes and narrow.
const MAIN = [
  'integrations', 'integration', 'wizard-url', 'configuration', 'configuration-form', 'organisation', 'access', 'capabilities', 'server-users', 'registrations',
  'registration-failed', 'history', 'workspaces', 'workspace', 'api-keys', 'audit', 'settings', 'people', 'person', 'sign-in', 'account', 'integration-delete',
];
const isMain = (name) => MAIN.some((main) => [`${main}-light-1440.png`, `${main}-dark-1440.png`, `${main}-light-390.png`].includes(name));

const tiles = [];
for (const name of names.filter(isMain)) {
  const label = name.replace('.png', '');
  tiles.push(`<figure class="${label.endsWith('-390') ? 'narrow' : ''}"><div><img src="${await source(name)}"></div><figcaption>${label}</figcaption></figure>`);
}
const style = 'body{margin:0;font:11px sans-serif}main{display:flex;flex-wrap:wrap;gap:10px;padding:10px;background:#ccc}figure{margin:0;inline-size:300px}figure.narrow{inline-size:110px}div{block-size:220px;overflow:hidden;background:#fff}img{inline-size:100%}figcaption{overflow:hidden}';
await shoot(`<style>${style}</style><main>${tiles.join('')}</main>`, 1900, join(images, 'contact-sheet.jpg'), 70);
for (const name of new Set(shown)) {
  await shoot(`<style>body,main{margin:0}img{display:block;inline-size:960px}</style><main><img src="${await source(`${name}.png`)}"></main>`, 960, join(images, `${name}.jpg`), 72);
}
await browser.close();
