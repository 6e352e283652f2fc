// Follows the documents of the registry and prints what changes, one JSON object per line. Commands on standard input:
// `show`, `generation WORKSPACE/SERVER N`, `report WORKSPACE/SERVER ERROR`. Settings are in the first lines.
import { Follower, Registry } from 'mcp-registry-client';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const { REGISTRY_URLS = '', REGISTRY_KEY_FILE = '', FOLLOW_MODE, FOLLOW_PAUSE_MS, FOLLOW_SILENCE_MS, FOLLOW_SAVED } = process.env;
const print = (event: object): void => { process.stdout.write(`${JSON.stringify(event)}\n`); };
const [least = 500, most = 30_000] = (FOLLOW_PAUSE_MS ?? '').split(',').filter(Boolean).map(Number);
// The key is read before each request, so that a rotated key needs no restart.
const registry = new Registry({ urls: REGISTRY_URLS.split(','), key: () => readFileSync(REGISTRY_KEY_FILE, 'utf8').trim() });
const follower = new Follower(registry, {
  mode: FOLLOW_MODE === 'stream' ? 'stream' : 'poll',
  pause: [least, most],
  silence: Number(FOLLOW_SILENCE_MS ?? 45_000),
  ...(FOLLOW_SAVED && existsSync(FOLLOW_SAVED) ? { saved: JSON.parse(readFileSync(FOLLOW_SAVED, 'utf8')) } : {}),
  onChange: (name, document) => print({ event: document ? 'document' : 'deleted', name, generation: document?.generation ?? null }),
  onError: (error, pause) => print({ event: 'error', error: String(error), pause }),
});
const stop = new AbortController();
const following = follower.run(stop.signal);
follower.ready(86_400_000).then(() => print({ event: 'ready' }), () => undefined);

for await (const line of createInterface({ input: process.stdin })) {
  const [command = '', name = '', argument = ''] = line.split(' ');
  const document = follower.documents.get(name);
  if (command === 'show') {
    const documents = Object.fromEntries([...follower.documents].map(([key, one]) => [key, one]));
    print({ event: 'show', documents, stale_since: follower.staleSince ?? null });
  } else if (command === 'generation') {
    follower.generation(name, Number(argument)).then((found) => print({ event: 'generation', client_id: found?.client?.client_id ?? null }), (error) => print({ event: 'failed', error: String(error) }));
  } else if (command === 'report' && document) {
    follower.report(document, argument).then((told) => print({ event: 'report', verdict: told.verdict }), (error) => print({ event: 'failed', error: String(error) }));
  }
}
stop.abort();
await following;
// It holds secrets.
if (FOLLOW_SAVED) writeFileSync(FOLLOW_SAVED, JSON.stringify(follower.save()), { mode: 0o600 });
process.exit(0);
