// What every peer does alike: listen on loopback, say `ready`, end with its standard input.
import { createServer } from 'node:http';

/** Prints one event line: a word and a JSON value. */
export function say(word, value) {
  process.stdout.write(`${word} ${JSON.stringify(value)}\n`);
}

/** Ends this process when its parent process ends. */
export function endWithStdin() {
  process.stdin.on('end', () => process.exit(0));
  process.stdin.on('error', () => process.exit(0));
  process.stdin.resume();
}

/**
 * Listens on 127.0.0.1 first, because an issuer must know its port, then asks `build(base)` for the request handler.
 * `build` returns `{ handler, ready, clients }`; `ready` is what the line `ready` tells. An authorization server gives
 * `clients`, `{ list(), forget(client_id) }`: the test may look into its memory, and make it forget, at `ready.control`.
 */
export async function serve(build) {
  endWithStdin();
  const server = createServer();
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', resolve);
  });
  const base = `http://127.0.0.1:${server.address().port}`;
  const { handler, ready, clients } = await build(base);
  server.on('request', clients ? controlled(clients, handler) : handler);
  say('ready', clients ? { ...ready, control: base + CONTROL } : ready);
}

const CONTROL = '/control/clients';

// `GET` lists what the server remembers of its clients; `DELETE …/{client_id}` makes it forget one, without notice.
function controlled({ list, forget }, handler) {
  return async (request, response) => {
    if (!request.url.startsWith(CONTROL)) return handler(request, response);
    try {
      const answer = request.method === 'DELETE' ? await forget(decodeURIComponent(request.url.slice(CONTROL.length + 1))) : await list();
      response.setHeader('content-type', 'application/json');
      return response.end(JSON.stringify(answer ?? null));
    } catch (error) {
      response.statusCode = 500;
      return response.end(String(error.stack));
    }
  };
}

/** A list setting. */
export function list(name, separator, fallback = '') {
  return (process.env[name] ?? fallback).split(separator).filter(Boolean);
}
