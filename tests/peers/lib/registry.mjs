// The product itself, as an operator runs it: `mcp-registry serve` on a throwaway SQLite file, worker in the same process.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const PATIENCE = 20_000;

/** Starts it in `folder`. Returns `{ url, admin, gateway, stop() }`: where it listens, and a key of each role. */
export async function startRegistry(binary, folder, settings = {}) {
  const options = {
    cwd: folder,
    env: {
      ...process.env,
      MCP_REGISTRY__SERVER__LISTEN: '127.0.0.1:0',
      MCP_REGISTRY__EGRESS__ALLOW_HTTP_LOOPBACK: 'true',
      MCP_REGISTRY__WORKER__POLL_MS: '50',
      ...settings,
    },
  };
  const run = async (...command) => (await promisify(execFile)(binary, command, options)).stdout.trim();
  await run('migrate');
  const key = (role) => run('key', 'create', '--name', role, '--role', role);
  const [admin, gateway] = [await key('admin'), await key('gateway')];
  const child = spawn(binary, ['serve'], { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'exit');
  let log = '';
  child.stderr.on('data', (data) => { log += data; });
  const url = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [, address] = line.match(/listening on (\S+)/) ?? [];
      if (address) resolve(address);
    });
    ended.then(() => reject(new Error(`mcp-registry ended before it listened:\n${log}`)));
    setTimeout(() => reject(new Error(`mcp-registry did not listen within ${PATIENCE} ms:\n${log}`)), PATIENCE).unref();
  });
  const stop = async () => { child.kill(); await ended; };
  return { url, admin, gateway, log: () => log, stop };
}

/** One request as JSON with an API key; fails on any status that is not 200. */
export async function call(registry, key, method, path, body) {
  const headers = { 'x-portkey-api-key': key, ...(body ? { 'content-type': 'application/json' } : {}) };
  const response = await fetch(registry.url + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}
