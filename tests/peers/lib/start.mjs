// For tests in Node: starts a peer, waits for its line `ready`, ends it by closing its standard input.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const PATIENCE = 30_000;

/** Starts `tests/peers/<script>`. Returns `{ ready, events, event(word, fits), clients(), forget(client_id), stop() }`. */
export async function startPeer(script, environment = {}) {
  const path = fileURLToPath(new URL(`../${script}`, import.meta.url));
  const program = script.endsWith('.py') ? process.env.MCP_REGISTRY_TEST_PYTHON : process.execPath;
  const child = spawn(program, [path], { env: { ...process.env, ...environment }, stdio: ['pipe', 'pipe', 'pipe'] });
  const peer = { events: [], waiting: [] };
  let errors = '';
  child.stderr.on('data', (data) => { errors += data; });
  const ended = once(child, 'exit');
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [, word, json] = line.match(/^(\w+) (\{.*\})$/) ?? [];
    if (!word) return;
    peer.events.push([word, JSON.parse(json)]);
    for (const look of peer.waiting) look();
  });
  // The first event of that name that fits, now or when it comes.
  peer.event = (word, fits = () => true) => new Promise((resolve, reject) => {
    const look = () => {
      const found = peer.events.find(([name, value]) => name === word && fits(value));
      if (found) resolve(found[1]);
    };
    peer.waiting.push(look);
    ended.then(([code]) => reject(new Error(`${script} ended with ${code} before "${word}": ${errors}`)));
    setTimeout(() => reject(new Error(`${script} did not say "${word}" within ${PATIENCE} ms: ${JSON.stringify(peer.events)}`)), PATIENCE).unref();
    look();
  });
  // What the server remembers of its clients, and a way to make it forget one.
  peer.clients = async () => (await fetch(peer.ready.control)).json();
  peer.forget = async (id) => { await fetch(`${peer.ready.control}/${encodeURIComponent(id)}`, { method: 'DELETE' }); };
  peer.stop = async () => { child.stdin.end(); await ended; };
  peer.ready = await peer.event('ready');
  return peer;
}
