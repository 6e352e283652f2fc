// https on loopback, under its own certificate authority, in front of a plain server: what a reverse proxy is to a
// deployment, with its public name. Settings: README.md.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as forward } from 'node:http';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { say, serve } from './lib/peer.mjs';

const folder = mkdtempSync(join(tmpdir(), 'tls-front-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const file = (name) => join(folder, name);
const openssl = (...command) => execFileSync('openssl', command, { stdio: ['ignore', 'ignore', 'pipe'], cwd: folder });
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=Authority of this test',
  '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign');
openssl('req', ...newKey, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=localhost');
writeFileSync(file('extensions'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n');
openssl('x509', '-req', '-in', 'server.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-out', 'server.pem', '-days', '2', '-extfile', 'extensions');

// The backend is often unknown before this front has a name: it can be set later (`PUT` to `ready.control`).
let upstream = process.env.UPSTREAM;

const front = createServer({ key: readFileSync(file('server.key')), cert: readFileSync(file('server.pem')) }, (request, response) => {
  const fail = () => {
    response.statusCode = 502;
    response.end('Nobody answers behind this front.');
  };
  if (!upstream) return fail();
  const headers = { ...request.headers, 'x-forwarded-proto': 'https', 'x-forwarded-host': request.headers.host };
  const passed = forward(new URL(request.url, upstream), { method: request.method, headers }, (answer) => {
    say('fetched', { method: request.method, path: request.url, status: answer.statusCode });
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  passed.on('error', fail);
  return request.pipe(passed);
});
await new Promise((resolve) => { front.listen(0, '127.0.0.1', resolve); });

await serve((base) => {
  const handler = async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    upstream = new URL(body).origin;
    response.end();
  };
  return { handler, ready: { public_url: `https://localhost:${front.address().port}`, ca_file: file('ca.pem'), control: base } };
});
