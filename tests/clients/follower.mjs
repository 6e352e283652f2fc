// Each language's Follower against the same bad days: lib/fake-registry.mjs answers as a registry, its proxies and its network do.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { here, installed, program } from './lib/build.mjs';
import { drive } from './lib/driver.mjs';
import { FakeRegistry, refuse, send, until } from './lib/fake-registry.mjs';

const DOCUMENT = '/v1/gateway/servers/acme/notes';
const CHANGES = '/v1/gateway/changes';
const EVERYTHING = '/v1/gateway/';
const STREAM = (request) => request.headers.accept?.includes('text/event-stream');

const LANGUAGES = {
  TypeScript: async (folder) => [process.execPath, await program(folder, here('../../../docs/examples/follower.ts'))],
  Python: () => [process.env.MCP_REGISTRY_TEST_PYTHON, here('../../../docs/examples/follower.py')],
  Rust: () => [join(dirname(process.env.MCP_REGISTRY_TEST_BINARY), 'mcp-registry-follow')],
};

// Each: what happens, and what must hold. `f` is the program that follows, `r` the registry.
const BAD_DAYS = {
  'documents are there, change, and go': async ({ f, r }) => {
    assert.deepEqual(Object.keys((await f.ask('show', 'show')).documents).sort(), ['acme/mail', 'acme/notes']);
    r.put('acme/notes', { scope: 'a' });
    await holds(f, (all) => all['acme/notes']?.scope === 'a');
    r.put('acme/new');
    r.delete('acme/notes');
    await holds(f, (all) => all['acme/new'] && !all['acme/notes'] && all['acme/mail']);
  },
  'a 503 is not a document': async ({ f, r }) => {
    r.fault(DOCUMENT, (response) => refuse(response, 503, 'unavailable'), 3);
    r.put('acme/notes', { scope: 'a' });
    await f.event((one) => one.event === 'error');
    assert.equal((await f.ask('show', 'show')).documents['acme/notes'].client.client_id, 'client-1');
    await holds(f, (all) => all['acme/notes'].scope === 'a');
    assert.deepEqual(f.events.filter((one) => one.event === 'deleted'), []);
  },
  'a 401 ends nothing: the rotated key is used as soon as it is there': async ({ f, r, keyFile }) => {
    r.key = 'key-2';
    r.cut();
    await f.event((one) => one.event === 'error' && one.error.includes('401'));
    const held = await f.ask('show', 'show');
    assert.equal(Object.keys(held.documents).length, 2);
    assert.ok(held.stale_since, 'stale since when');
    r.put('acme/notes', { scope: 'a' });
    await writeFile(keyFile, 'key-2');
    await holds(f, (all, shown) => all['acme/notes'].scope === 'a' && shown.stale_since === null);
  },
  'a key that cannot be read for a moment ends nothing': async ({ f, r, keyFile }) => {
    await rename(keyFile, `${keyFile}.old`);
    r.cut();
    await f.event((one) => one.event === 'error' && !/closed|ended|broke|terminated/.test(one.error));
    r.put('acme/notes', { scope: 'a' });
    await rename(`${keyFile}.old`, keyFile);
    await holds(f, (all) => all['acme/notes'].scope === 'a');
  },
  'a 429 is waited for as long as it says': async ({ f, r }) => {
    let refused;
    r.fault(CHANGES, (response) => {
      refused = r.requests.length;
      refuse(response, 429, 'rate_limited', { 'retry-after': '1' });
    });
    r.cut();
    r.put('acme/notes', { scope: 'a' });
    await holds(f, (all) => all['acme/notes'].scope === 'a');
    const gap = r.requests[refused].at - r.requests[refused - 1].at;
    assert.ok(gap >= 990, `asked again after ${gap} ms`);
  },
  'one broken document does not hold up the others': async ({ f, r }) => {
    const broken = r.fault(DOCUMENT, (response) => refuse(response, 500, 'internal'), Infinity);
    for (const scope of ['a', 'b', 'c']) {
      r.put('acme/notes', { scope });
      r.put('acme/mail', { scope });
      await holds(f, (all) => all['acme/mail'].scope === scope && !all['acme/notes'].scope);
    }
    assert.ok((await f.ask('show', 'show')).stale_since);
    broken.end();
    await holds(f, (all, shown) => all['acme/notes'].scope === 'c' && shown.stale_since === null);
  },
  'a network that lets no stream pass': async ({ f, r }) => {
    r.fault(STREAM, (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Blocked</h1>'), Infinity);
    r.cut();
    r.put('acme/notes', { scope: 'a' });
    await holds(f, (all) => all['acme/notes'].scope === 'a');
  },
  'garbage changes nothing': async ({ f, r }) => {
    const notHere = (response) => response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>Not here</h1>');
    const answers = [
      notHere,
      notHere, // again, without `at_least`
      (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Sign in to the Wi-Fi</h1>'),
      (response) => send(response, 200, {}),
      (response) => send(response, 200, null),
      (response) => send(response, 200, { ...r.documents.get('acme/notes'), server: 'other' }),
      (response) => send(response, 200, { ...r.documents.get('acme/notes'), revision: 'seven' }),
      (response) => response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end(),
      (response) => response.writeHead(200, { 'content-type': 'application/json', 'content-length': '5000' }).write('{"workspace":"acme",', () => response.destroy()),
    ];
    for (const answer of answers) r.fault(DOCUMENT, answer);
    r.put('acme/notes', { scope: 'a' });
    await until(() => r.spent, () => JSON.stringify(f.events));
    await holds(f, (all) => all['acme/notes'].scope === 'a');
    assert.equal(Object.keys((await f.ask('show', 'show')).documents).length, 2);
    assert.deepEqual(f.events.filter((one) => one.event === 'deleted'), []);
  },
  'garbage in the feed changes nothing, and no change is lost': async ({ f, r, mode }) => {
    const answers = [
      (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Sign in to the Wi-Fi</h1>'),
      (response) => send(response, 200, { changes: 'none' }),
      (response) => send(response, 200, { revision: 99, reset: false, changes: [{}] }),
    ];
    if (mode === 'stream') answers.push((response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).end('event: changed\ndata: {"revision":\n\n'));
    for (const answer of answers) r.fault(CHANGES, answer);
    r.cut();
    await until(() => r.spent, () => JSON.stringify(f.events));
    r.put('acme/notes', { scope: 'a' });
    r.delete('acme/mail');
    await holds(f, (all) => all['acme/notes'].scope === 'a' && !all['acme/mail']);
  },
  'streams that are cut lose nothing': async ({ f, r }) => {
    for (let turn = 1; turn <= 5; turn += 1) {
      r.cut();
      r.put('acme/notes', { scope: `s${turn}` });
      r.cut();
      await holds(f, (all) => all['acme/notes'].scope === `s${turn}`);
    }
  },
  'another replica answers when one is broken': async ({ f, r }) => {
    for (const broken of [(response) => response.destroy(), (response) => refuse(response, 502, 'bad_gateway')]) {
      const first = r.requests.at(-1).replica;
      const fault = r.fault((request) => request.replica === first, broken, Infinity);
      r.cut();
      r.put('acme/notes', { scope: `not ${first}` });
      await holds(f, (all) => all['acme/notes'].scope === `not ${first}`);
      assert.equal(r.requests.findLast((one) => one.path === DOCUMENT).replica, 1 - first);
      fault.end();
    }
  },
  'when all were missed, nothing goes that is still there': async ({ f, r }) => {
    r.faults.push({ fits: (request) => request.path === '/v1/gateway/servers' && request.query.since !== '0', answer: (response) => refuse(response, 503, 'unavailable'), times: 2 });
    r.documents.delete('acme/mail');
    r.documents.get('acme/notes').scope = 'later';
    r.put('acme/more');
    r.expire();
    await holds(f, (all) => !all['acme/mail'] && all['acme/more'] && all['acme/notes'].scope === 'later');
    assert.deepEqual(f.events.filter((one) => one.event === 'deleted').map((one) => one.name), ['acme/mail']);
  },
  'what is deleted while the pages are read goes': async ({ start, r }) => {
    r.fault((request) => request.path === '/v1/gateway/servers' && request.query.since !== '0', (response, request) => {
      r.delete('acme/notes');
      const mail = r.documents.get('acme/mail');
      send(response, 200, { object: 'list', data: [mail], has_more: false, revision: r.revision });
    });
    const f = await start();
    await holds(f, (all) => all['acme/mail'] && !all['acme/notes']);
  },
  'one report is sent for many users, and passes over refusals': async ({ f, r }) => {
    r.fault(`${DOCUMENT}/report`, (response) => refuse(response, 503, 'unavailable'), 2);
    for (let user = 0; user < 3; user += 1) f.send('report acme/notes invalid_client');
    await until(() => f.events.filter((one) => one.verdict === 'noted').length === 3, () => JSON.stringify(f.events));
    assert.deepEqual(r.reports, [{ name: 'acme/notes', generation: 1, error: 'invalid_client' }]);
    assert.equal((await f.ask('report acme/notes invalid_grant', 'report')).verdict, 'ignored');
    assert.equal(r.reports.length, 1);
  },
  'a client that drains is served until it is gone': async ({ f, r }) => {
    r.put('acme/notes', { generation: 2 });
    await holds(f, (all) => all['acme/notes'].client.client_id === 'client-2');
    assert.equal((await f.ask('generation acme/notes 2', 'generation')).client_id, 'client-2');
    assert.equal((await f.ask('generation acme/notes 1', 'generation')).client_id, 'client-1');
    const away = r.fault(DOCUMENT, (response) => refuse(response, 503, 'unavailable'), Infinity);
    assert.equal((await f.ask('generation acme/notes 1', 'generation')).client_id, 'client-1');
    away.end();
    r.old.clear();
    assert.equal((await f.ask('generation acme/notes 1', 'generation')).client_id, null);
  },
  'a new process begins with what the last one knew': async ({ f, r, start }) => {
    await f.stop();
    const fault = r.fault(EVERYTHING, (response) => response.destroy(), Infinity);
    r.put('acme/notes', { scope: 'a' });
    const next = await start();
    const shown = await next.ask('show', 'show');
    assert.equal(shown.documents['acme/notes'].client.client_id, 'client-1');
    assert.ok(shown.stale_since);
    fault.end();
    await holds(next, (all) => all['acme/notes'].scope === 'a');
  },
  'a connection that is silent is given up': async ({ f, r, mode }) => {
    if (mode === 'poll') return; // That is the time limit of the request.
    r.fault(STREAM, (response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': still here\n\n'));
    r.cut();
    r.put('acme/mail', { scope: 'a' }); // answers the poll that follows a failure
    await until(() => r.spent, () => JSON.stringify(f.events));
    r.put('acme/notes', { scope: 'a' });
    await holds(f, (all) => all['acme/notes'].scope === 'a');
  },
};

async function holds(follower, fits) {
  let shown;
  await until(async () => {
    shown = await follower.ask('show', 'show');
    return fits(shown.documents, shown);
  }, () => `what is held: ${JSON.stringify(shown)}`);
}


// One language alone: FOLLOWERS=Rust node --test tests/clients/
const chosen = process.env.FOLLOWERS?.split(',') ?? Object.keys(LANGUAGES);
describe('followers', { concurrency: 3 }, () => {
  let library;
  before(async () => { library = await installed(); });
  after(() => library.remove());
  for (const language of chosen) {
    for (const mode of ['poll', 'stream']) {
      describe(`${language}, ${mode}`, { concurrency: 3 }, () => {
        let command;
        before(async () => { command = await LANGUAGES[language](library.folder); });
        for (const [name, day] of Object.entries(BAD_DAYS)) test(name, (t) => live(t, day, mode, command));
      });
    }
  }
});

async function live(t, day, mode, command) {
  const folder = await mkdtemp(join(tmpdir(), 'follower-'));
  const r = await FakeRegistry.start(2);
  const keyFile = join(folder, 'key');
  await writeFile(keyFile, r.key);
  const running = [];
  t.after(async () => {
    await r.stop();
    await Promise.all(running.map((one) => one.stop().catch(() => undefined)));
    await rm(folder, { recursive: true });
  });
  r.put('acme/notes');
  r.put('acme/mail');
  const start = async () => {
    const settings = { REGISTRY_URLS: r.urls.join(','), REGISTRY_KEY_FILE: keyFile, FOLLOW_MODE: mode, FOLLOW_PAUSE_MS: '20,100', FOLLOW_SILENCE_MS: '700', FOLLOW_SAVED: join(folder, 'saved') };
    const one = drive(command, settings);
    running.push(one);
    await one.event((event) => event.event === 'ready');
    return one;
  };
  // A day that starts the program itself has no `f` yet.
  const f = day.toString().startsWith('async ({ start') ? undefined : await start();
  if (f) await until(() => r.waiting.size > 0, 'the follower waits for changes');
  await day({ f, r, mode, keyFile, start });
}

test('a document of the library is one of the API document', async () => {
  const { components } = JSON.parse(await readFile(here('../../../openapi/registry.json'), 'utf8'));
  const types = await readFile(here('../../../clients/typescript/src/types.ts'), 'utf8');
  const [, body] = types.match(/interface GatewayDocument \{([\s\S]*?)\n\}/);
  const mine = [...body.matchAll(/^ {2}(\w+)\??:/gm)].map(([, name]) => name);
  assert.ok(mine.length > 15);
  assert.deepEqual(mine.filter((name) => !(name in components.schemas.GatewayDocument.properties)), []);
});
