// What every browser test needs: the real binary on a fresh database, Debian's Chromium, and a watch on what the browser does.
// A page that writes to the console, throws, breaks its Content-Security-Policy or reaches beyond loopback fails the test.
import axe from 'axe-core';
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

const ARGUMENTS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  // Nothing beyond loopback is reached. Playwright's own routes would do the same, but they ask Node.js about every request
  // and switch off the browser's cache: pages loaded half as fast.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE [::1]',
];
const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]']);
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const PATIENCE = 30_000;

/** How many tests of a file run at the same time, each in a context of its own: much of each is waiting for the other side. */
export const AT_ONCE = 2;
/** Milliseconds that one test may take in one mode. On an idle machine none takes a tenth of it. */
export const LIMIT = 600_000;

// What a file's tests share, gone when they are: a browser, and an installation to copy.
const shared = [];
after(async () => {
  for (const end of shared.reverse()) await end();
});

let launched;

/** The one browser of a file's tests. A context of it shares nothing with another. */
async function browser() {
  if (!(await launched)?.isConnected()) {
    launched = chromium.launch({ executablePath: setting('MCP_REGISTRY_TEST_CHROMIUM'), headless: true, args: ARGUMENTS });
    const mine = launched;
    shared.push(async () => (await mine).close());
  }
  return launched;
}

// Everything that a test started is stopped in reverse order, even after failures.
const endings = new WeakMap();
export function atEnd(t, work) {
  if (!endings.has(t)) {
    endings.set(t, []);
    t.after(async () => {
      const errors = [];
      for (const one of endings.get(t).reverse()) {
        try {
          await one();
        } catch (error) {
          errors.push(error);
        }
      }
      if (errors.length) throw errors[0];
    });
  }
  endings.get(t).push(work);
}

/** A variable that `./test` sets. */
export function setting(name) {
  const value = process.env[name];
  assert.ok(value, `${name} is not set: run the tests through ./test`);
  return value;
}

/** What the pages must work in: with and without JavaScript, on the layer built by npm and on the embedded base alone. */
export const MODES = [
  { name: 'full layer', layer: 'full', script: true },
  { name: 'base layer', layer: 'base', script: true },
  { name: 'full layer, no JavaScript', layer: 'full', script: false },
  { name: 'base layer, no JavaScript', layer: 'base', script: false },
];

/**
 * A test of what a person does, once in each mode, some modes at a time: `run({ t, mode, registry, api, page, expectStatus, visit, step })`, the
 * person signed in, the registry empty. `visit(name)` checks the page as it is and takes a picture (in the first mode).
 * `prepare(t)` starts what the registry is configured for, and answers with its variables as `environment`, its `files`.
 */
export function flow(title, run, modes = MODES, prepare = async () => ({})) {
  test(title, { concurrency: AT_ONCE }, (t) => Promise.all(modes.map((mode) => (
    t.test(mode.name, { timeout: LIMIT }, async (t) => {
      const { environment, files, ...prepared } = await prepare(t);
      const basic = { MCP_REGISTRY__UI__BASIC: String(mode.layer === 'base') };
      // What is recorded of a deployment's settings is of those it was made with.
      const from = environment || files ? undefined : await installation();
      const registry = await startRegistry(t, { ...basic, ...environment }, files, from?.folder);
      const key = from?.key ?? await registry.run('key', 'create', '--name', 'terraform', '--role', 'admin');
      const opened = await openPage(t, { javaScriptEnabled: mode.script });
      await signIn(opened.page, registry);
      const visit = async (name, page = opened.page) => {
        if (mode.script) await expectAccessible(page);
        await expectNoOverflow(page);
        if (mode === MODES[0]) await picture(page, name);
      };
      await run({ t, mode, registry, api: registry.api(key), ...opened, ...prepared, visit, step: (name, work) => step(t, name, work) });
      // Before the registry ends: what the last page still fetches (its icon) would be refused then.
      await opened.page.context().close();
    })
  ))));
}

let installed;

/** A folder with the database of a fresh registry and a key of an admin, `{ folder, key }`; nobody serves it. */
function installation() {
  installed ??= (async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mcp-registry-installed-'));
    shared.push(() => rm(folder, { recursive: true, force: true }));
    const run = (...args) => promisify(execFile)(setting('MCP_REGISTRY_TEST_BINARY'), args, { cwd: folder, env: { ...process.env, ...SETTINGS } });
    await run('migrate');
    const { stdout } = await run('key', 'create', '--name', 'terraform', '--role', 'admin');
    return { folder, key: stdout.trim() };
  })();
  return installed;
}

const SETTINGS = {
  MCP_REGISTRY__SERVER__LISTEN: '127.0.0.1:0',
  MCP_REGISTRY__EGRESS__ALLOW_HTTP_LOOPBACK: 'true',
  MCP_REGISTRY__LOG__LEVEL: 'warn',
};

/** The text of an Advanced Configuration, in the JSON editor or in the text area that it stands for: `fill(text)`, `value()`. */
export function editor(page, name = 'Advanced configuration') {
  const area = page.locator('textarea#configuration');
  const ready = async () => {
    const loads = page.scripted && (await page.locator('script[src$="/editor.js"]').count()) > 0;
    await (loads ? page.locator('json-editor.ready') : area).waitFor();
    return page.getByRole('textbox', { name, exact: true });
  };
  return { ready, fill: async (text) => (await ready()).fill(text), value: () => area.inputValue() };
}

/** Goes on by Tab until something has the focus, as somebody without a mouse does. */
export async function tabTo(page, locator) {
  for (let presses = 0; presses < 120; presses += 1) {
    if (await locator.evaluate((element) => element === element.getRootNode().activeElement)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`Tab does not lead to ${locator}`);
}

/** Types `text` in place of what a field holds, by keyboard alone. */
export async function type(page, locator, text) {
  await tabTo(page, locator);
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.insertText(text);
}

/** Presses a button or link by keyboard alone. */
export async function press(page, locator, key = 'Enter') {
  await tabTo(page, locator);
  await page.keyboard.press(key);
}

/** Uses the one-time link of a fresh registry. */
export async function signIn(page, registry) {
  await page.goto(registry.signInLink);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.waitForURL(/\/ui\/integrations\?done=link$/);
}

/** One step after the other: the first that fails ends the test and is named. */
export async function step(t, name, work) {
  try {
    await work();
    t.diagnostic(name);
  } catch (error) {
    error.message = `${name}: ${error.message}`;
    throw error;
  }
}

/** Looks at a page again until it shows something, as a person would: registrations happen in the background. */
export async function reloadUntil(page, locator, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  while (!(await locator.first().isVisible())) {
    assert.ok(Date.now() < end, `not on the page after ${seconds} s: ${await page.getByRole('main').innerText()}`);
    await page.reload();
  }
}

/**
 * Starts `mcp-registry sandbox`, an upstream on loopback with its OAuth server. Returns `{ mcpUrl, issuer, quirks(changed) }`;
 * the quirks are those of `crates/sandbox/src/quirks.rs`.
 */
export async function startSandbox(t, quirks = {}) {
  const child = spawn(setting('MCP_REGISTRY_TEST_BINARY'), ['sandbox', '--quirks', JSON.stringify(quirks)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  atEnd(t, () => { child.stdin.end(); return ended; });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const said = async () => {
    const { value } = await lines.next();
    const [, word, json] = value?.match(/^(\w+) (\{.*\})$/) ?? [];
    assert.ok(word && word !== 'refused', `the sandbox said: ${value}`);
    return JSON.parse(json);
  };
  const ready = await said();
  return {
    mcpUrl: ready.mcp_url,
    issuer: ready.issuer,
    quirks: async (changed) => { child.stdin.write(`${JSON.stringify(changed)}\n`); await said(); },
  };
}

/**
 * A port that is free now, for what must know its address before it starts. The system gives ports from 32768 on to
 * connections, so it is one below.
 */
export async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(() => true, () => false);
    if (isFree) await new Promise((resolve) => { server.close(resolve); });
    if (isFree) return port;
  }
}

/**
 * Starts `mcp-registry serve` on a fresh SQLite database and a free port, with upstreams on loopback allowed. `files` are put
 * into its folder before: `{ 'registry.toml': '…' }`, and what the folder `from` holds. Returns `{ base, signInLink, run(...arguments), api(key), stop() }`; everything is gone when the test is.
 */
export async function startRegistry(t, environment = {}, files = {}, from = undefined) {
  const binary = setting('MCP_REGISTRY_TEST_BINARY');
  const folder = await mkdtemp(join(tmpdir(), 'mcp-registry-browser-'));
  if (from) await cp(from, folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const env = { ...process.env, ...SETTINGS, ...environment };
  const child = spawn(binary, ['serve'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'exit');
  let log = '';
  child.stderr.on('data', (data) => { log += data; });
  const stop = async () => {
    child.kill('SIGTERM');
    const [code] = await ended;
    await rm(folder, { recursive: true, force: true });
    return { code, log };
  };
  atEnd(t, stop);
  const [base, signInLink] = await Promise.race([
    announcement(child.stdout),
    ended.then(([code]) => { throw new Error(`mcp-registry serve ended with ${code}: ${log}`); }),
  ]);
  const run = async (...args) => (await promisify(execFile)(binary, args, { cwd: folder, env })).stdout.trim();
  return { base, folder, signInLink, run, stop, api: (key) => api(base, key) };
}

// `serve` says where it listens, and how the first administrator signs in.
async function announcement(output) {
  let base;
  for await (const line of createInterface({ input: output })) {
    base ??= line.match(/^listening on (\S+)/)?.[1];
    const link = line.match(/sign in once with (\S+)/)?.[1];
    if (base && link) return [base, link];
  }
  throw new Error('mcp-registry serve did not say where it listens and how to sign in.');
}

// The REST API, for what a test only needs to be there.
function api(base, key) {
  return async (method, path, body) => {
    const response = await fetch(base + path, {
      method,
      headers: { authorization: `Bearer ${key}`, ...(body ? { 'content-type': 'application/json' } : {}) },
      body: body ? JSON.stringify(body) : undefined,
    });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  };
}

/**
 * A browser page under watch: what it did wrong fails the test at its end. Chromium writes a refused answer (422 for a form
 * with a mistake) to the console; a test that means to get one announces it with `expectStatus(422)`, once for each.
 */
export async function openPage(t, options = {}) {
  const context = await (await browser()).newContext({ viewport: { width: 1440, height: 1000 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.scripted = options.javaScriptEnabled !== false;
  const complaints = [];
  const expected = [];
  page.on('console', (message) => {
    const at = expected.findIndex((status) => message.text().includes(`responded with a status of ${status} `));
    if (at >= 0) expected.splice(at, 1);
    else complaints.push(`console ${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`page error: ${error.message}`));
  context.on('request', (request) => {
    const url = new URL(request.url());
    if (!['data:', 'blob:'].includes(url.protocol) && !LOOPBACK.has(url.hostname)) complaints.push(`request to ${url.href}`);
  });
  atEnd(t, async () => {
    await context.close();
    assert.deepEqual(complaints, []);
    assert.deepEqual(expected, [], 'expected statuses that were not answered');
  });
  return { page, complaints, expectStatus: (status) => expected.push(status) };
}

/** What axe finds against WCAG 2.2 AA and good practice on the page as it is; with `rules`, by these rules only. */
export async function accessibilityProblems(page, rules = undefined) {
  // Its style sheet is there only then.
  await page.waitForLoadState();
  // Without @axe-core/playwright, which puts the results together on another page: there is one frame here.
  if (!(await page.evaluate('"axe" in window'))) await page.evaluate(axe.source);
  const violations = await page.evaluate(async (runOnly) => {
    // Nothing is preloaded: no rule here reads style sheets, and the pages have neither sound nor video.
    const found = await window.axe.run(document, { runOnly, resultTypes: ['violations'], preload: false });
    return found.violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map(({ html }) => ({ html })) }));
  }, rules ? { type: 'rule', values: rules } : { type: 'tag', values: TAGS });
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' | ')}`);
}

/** Fails on anything that axe finds. */
export async function expectAccessible(page) {
  assert.deepEqual(await accessibilityProblems(page), [], `accessibility of ${page.url()}`);
}

/** Fails where the page is wider than a window of 320, 390 or 1440 px. */
export async function expectNoOverflow(page) {
  // Its style sheet is there only then.
  await page.waitForLoadState();
  for (const width of [320, 390, 1440]) {
    await page.setViewportSize({ width, height: 1000 });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(over <= 0, `${page.url()} is ${over} px too wide at ${width} px`);
  }
}

/** Takes a picture when MCP_REGISTRY_TEST_PICTURES names a folder. */
export async function picture(page, name) {
  const folder = process.env.MCP_REGISTRY_TEST_PICTURES;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}
