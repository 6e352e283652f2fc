// What every peer does alike: listen on loopback, say `ready`, end with its standard input.
import { createServer } from 'node:http';

/** Prints one event line: a word and a JSON value. */
export function say(word, value) {
  process.stdout.write(`${word} ${JSON.stringify(value)}\n`);
}

/** Ends this process when whoever started it goes away. */
export function endWithStdin() {
  process.stdin.on('end', () => process.exit(0));
  process.stdin.on('error', () => process.exit(0));
  process.stdin.resume();
}

/**
 * Listens on 127.0.0.1 first, because an issuer must know its port, then asks `build(base)` for the request handler.
 * `build` returns `{ handler, ready }`; `ready` is what the line `ready` tells.
 */
export async function serve(build) {
  endWithStdin();
  const server = createServer();
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', resolve);
  });
  const { handler, ready } = await build(`http://127.0.0.1:${server.address().port}`);
  server.on('request', handler);
  say('ready', ready);
}

/** A list setting. */
export function list(name, separator, fallback = '') {
  return (process.env[name] ?? fallback).split(separator).filter(Boolean);
}
