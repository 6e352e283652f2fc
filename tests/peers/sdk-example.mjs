// The MCP TypeScript SDK's own example of a protected MCP server with its authorization server, as published.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { endWithStdin, say } from './lib/peer.mjs';

// The example wants to be told its ports.
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return String(port);
}

const [mcp, authorization] = [await freePort(), await freePort()];
const example = fileURLToPath(import.meta.resolve('@modelcontextprotocol/sdk/examples/server/simpleStreamableHttp.js'));
const guard = new URL('./lib/loopback-only.mjs', import.meta.url).href;
const child = spawn(process.execPath, ['--import', guard, example, '--oauth'], {
  env: { ...process.env, MCP_PORT: mcp, MCP_AUTH_PORT: authorization },
  stdio: ['pipe', 'pipe', 'inherit'], // its input closes when this process ends, even by SIGKILL; then it ends too
});
child.on('exit', (code) => process.exit(code ?? 1));
endWithStdin();

let listening = 0;
for await (const line of createInterface({ input: child.stdout })) {
  if (line.includes('listening on port') && ++listening === 2) {
    say('ready', { mcp_url: `http://localhost:${mcp}/mcp`, issuer: `http://localhost:${authorization}/`, registration_endpoint: `http://localhost:${authorization}/register` });
  }
}
