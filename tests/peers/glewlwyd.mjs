// Debian's glewlwyd, an OpenID Connect server in C, as it is after a plugin was added on its admin page. Settings: README.md.
// It listens behind this script, which passes every request on, tells what happened to clients, and plays the user who agrees.
import { execFileSync, spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as forward } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { list, say, serve } from './lib/peer.mjs';

const scopes = list('SCOPES', ' ', 'mcp:read mcp:write mcp:tools');
const key = randomBytes(32).toString('hex'); // access tokens are signed with it
const folder = mkdtempSync(join(tmpdir(), 'glewlwyd-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

// It wants to be told its port.
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

function database() {
  const file = join(folder, 'database');
  const schema = gunzipSync(readFileSync('/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz'));
  const own = [...scopes, 'offline_access'].map((scope) => `('${scope}', '${scope}', '', 0, 0)`);
  const insert = `INSERT INTO g_scope (gs_name, gs_display_name, gs_description, gs_password_required, gs_password_max_age) VALUES ${own.join(', ')};`;
  execFileSync('sqlite3', [file], { input: `PRAGMA synchronous=OFF;\n${schema}\n${insert}` });
  return file;
}

function configuration(port, base) {
  const settings = {
    port, bind_address: '127.0.0.1', external_url: base, login_url: 'login.html', api_prefix: 'api',
    log_mode: 'file', log_level: 'WARNING', log_file: join(folder, 'log'),
    allow_origin: '*', session_expiration: 3600, session_key: 'GLEWLWYD2_SESSION_ID', hash_algorithm: 'SHA512',
    admin_scope: 'g_admin', profile_scope: 'g_profile', static_files_path: '/usr/share/glewlwyd/webapp/',
    user_module_path: '/usr/lib/glewlwyd/user', client_module_path: '/usr/lib/glewlwyd/client',
    user_auth_scheme_module_path: '/usr/lib/glewlwyd/scheme', plugin_module_path: '/usr/lib/glewlwyd/plugin',
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  const file = join(folder, 'glewlwyd.conf');
  writeFileSync(file, `${lines.join('\n')}\ndatabase = { type = "sqlite3"; path = "${database()}"; };\n`);
  return file;
}

const plugin = (issuer) => ({
  module: 'oidc', name: 'oidc', display_name: 'oidc',
  parameters: {
    iss: issuer, 'jwt-type': 'sha', 'jwt-key-size': '256', key,
    'access-token-duration': 3600, 'refresh-token-duration': 86400, 'code-duration': 600, 'refresh-token-rolling': true, 'allow-non-oidc': true,
    'auth-type-code-enabled': true, 'auth-type-token-enabled': false, 'auth-type-password-enabled': false, 'auth-type-client-enabled': true, 'auth-type-refresh-enabled': true,
    'pkce-allowed': true, 'pkce-method-plain-allowed': false, 'subject-type': 'public', 'oauth-as-iss-id': true,
    'register-client-allowed': true, 'register-client-management-allowed': true, 'register-client-auth-scope': [], 'register-client-credentials-scope': [],
    'introspection-revocation-allowed': true, 'introspection-revocation-allow-target-client': true,
  },
});

// The admin's session.
class Admin {
  constructor(server) { this.server = server; }

  async call(method, path, body) {
    const headers = { 'content-type': 'application/json', ...(this.cookie ? { cookie: this.cookie } : {}) };
    const response = await fetch(this.server + path, { method, headers, body: body && JSON.stringify(body) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response;
  }

  async signIn() {
    const response = await this.call('POST', '/api/auth', { username: 'admin', password: 'password' });
    this.cookie = response.headers.getSetCookie().map((cookie) => cookie.split(';', 1)[0]).join('; ');
  }
}

await serve(async (base) => {
  const port = await freePort();
  const server = `http://127.0.0.1:${port}`;
  // It knows no end by standard input; it ends when this process does, however that happens.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'glewlwyd', `--config-file=${configuration(port, base)}`], { stdio: ['ignore', 'ignore', 'inherit'] });
  child.on('error', (error) => {
    console.error(`glewlwyd does not start: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code) => process.exit(code ?? 1));
  const admin = new Admin(server);
  while (!await admin.signIn().then(() => true, () => false)) await pause(50);
  const issuer = `${base}/api/oidc`;
  await admin.call('POST', '/api/mod/plugin', plugin(issuer));
  // The admin is the user too.
  await admin.call('PUT', '/api/user/admin', { name: 'User', enabled: true, scope: ['g_admin', 'g_profile', 'openid', 'offline_access', ...scopes] });

  const clients = {
    // A deleted client (RFC 7592 §2.3) stays, disabled.
    list: async () => (await (await admin.call('GET', '/api/client?limit=1000')).json()).filter((client) => client.enabled),
    forget: async (id) => { await admin.call('DELETE', `/api/client/${encodeURIComponent(id)}`); },
  };
  return { handler: passingOn(port, issuer, admin), clients, ready: { issuer, registration_endpoint: `${issuer}/register`, introspection: { endpoint: `${base}/introspect` } } };
});

// Requests and answers as they are; those about clients are also told as events.
function passingOn(port, issuer, admin) {
  const registration = `${new URL(issuer).pathname}/register`;
  return async (request, response) => {
    const body = await bytes(request);
    if (request.url === '/introspect') return response.end(JSON.stringify(introspected(new URLSearchParams(String(body)).get('token') ?? '')));
    const upstream = forward({ host: '127.0.0.1', port, method: request.method, path: request.url, headers: request.headers });
    upstream.end(body);
    const [answer] = await once(upstream, 'response');
    const text = await bytes(answer);
    if (request.url.startsWith(registration)) tell(request.method, body, answer.statusCode, text);
    const signIn = /\/login\.html\?(.*)$/.exec(answer.headers.location ?? '');
    if (signIn) return agree(admin, new URLSearchParams(signIn[1]), response);
    response.writeHead(answer.statusCode, answer.headers);
    return response.end(text);
  };
}

// Its page for signing in is a program for browsers; this does what that page does when the user agrees to everything.
async function agree(admin, asked, response) {
  await admin.call('PUT', `/api/auth/grant/${encodeURIComponent(asked.get('client_id'))}`, { scope: asked.get('scope') });
  response.writeHead(302, { location: `${asked.get('callback_url')}&g_continue`, 'set-cookie': `${admin.cookie}; Path=/` });
  response.end();
}

// RFC 7662 in its smallest form, for the protected MCP server beside this one: the tokens are signed JWTs.
function introspected(token) {
  const [head, claims, signature] = token.split('.');
  if (!claims || createHmac('sha256', key).update(`${head}.${claims}`).digest('base64url') !== signature) return { active: false };
  const { client_id, scope, exp } = JSON.parse(Buffer.from(claims, 'base64url'));
  return { active: true, client_id, scope, exp };
}

function tell(method, body, status, answer) {
  const word = { POST: 'registered', PUT: 'updated', DELETE: 'deleted', GET: 'read' }[method];
  const { client_secret: _secret, ...asked } = body.length > 0 ? JSON.parse(body) : {};
  const request = body.length > 0 ? { request: asked } : {};
  if (status >= 300) return say('refused', { status, method, detail: String(answer), ...request });
  const { client_id } = answer.length > 0 ? JSON.parse(answer) : {};
  return say(word, { client_id, status, ...request });
}

async function bytes(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}
