// Runs the authorization scenarios of the MCP conformance suite against our product with a TypeScript SDK gateway.
//   node conformance.mjs [SCENARIO …]       needs Node.js 22; ../../scripts/conformance sets everything up
// Prints a line per scenario and exits 0 when each passes without a warning.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startRegistry } from './lib/registry.mjs';

// The suite "auth", then what it holds for the revision before and for the draft.
const SCENARIOS = [
  'metadata-default', 'metadata-var1', 'metadata-var2', 'metadata-var3',
  'basic-cimd', 'pre-registration',
  'scope-from-www-authenticate', 'scope-from-scopes-supported', 'scope-omitted-when-undefined', 'scope-step-up', 'scope-retry-limit',
  'token-endpoint-auth-basic', 'token-endpoint-auth-post', 'token-endpoint-auth-none',
  '2025-03-26-oauth-metadata-backcompat', '2025-03-26-oauth-endpoint-fallback',
  'resource-mismatch', 'offline-access-scope', 'offline-access-not-supported',
];
const AT_A_TIME = 4;
const LIMIT = 30_000; // milliseconds one scenario may take

const here = (file) => fileURLToPath(new URL(file, import.meta.url));
const wanted = process.argv.length > 2 ? process.argv.slice(2) : SCENARIOS;
const folder = await mkdtemp(join(tmpdir(), 'conformance-'));
const registry = await startRegistry(process.env.MCP_REGISTRY_TEST_BINARY, folder);
const environment = { ...process.env, CONFORMANCE_REGISTRY: JSON.stringify({ url: registry.url, admin: registry.admin, gateway: registry.gateway }) };
const failed = [];
try {
  const queue = [...wanted];
  await Promise.all(Array.from({ length: AT_A_TIME }, async () => {
    for (let name = queue.shift(); name; name = queue.shift()) report(name, await judge(name));
  }));
} finally {
  await registry.stop();
  await rm(folder, { recursive: true });
}
console.log(failed.length === 0 ? `All ${wanted.length} scenarios pass.` : `Not passed: ${failed.join(', ')}`);
process.exit(failed.length === 0 ? 0 : 1);

function report(name, { passed, wrong, output }) {
  console.log(`${wrong.length > 0 ? 'FAIL' : 'pass'}  auth/${name}  (${passed} checks)`);
  if (wrong.length === 0) return;
  failed.push(name);
  for (const line of wrong) console.log(`      ${line}`);
  console.log(output.replace(/^/gm, '      | '));
}

// One scenario in a process of the suite's own; what it wrote down is the verdict.
async function judge(name) {
  const results = await mkdtemp(join(folder, 'results-'));
  const suite = here('../node_modules/@modelcontextprotocol/conformance/dist/index.js');
  const command = `${process.execPath} ${here('conformance-client.mjs')}`;
  const child = spawn(process.execPath, [
    '--import', here('lib/loopback-only.mjs'), suite, 'client', '--command', command,
    '--scenario', `auth/${name}`, '--timeout', String(LIMIT), '--output-dir', results,
  ], { env: environment, stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (data) => { output += data; });
  child.stderr.on('data', (data) => { output += data; });
  const [code] = await once(child, 'exit');
  const file = (await readdir(results, { recursive: true })).find((path) => path.endsWith('checks.json'));
  const checks = file ? JSON.parse(await readFile(join(results, file), 'utf8')) : [];
  const passed = checks.filter((check) => check.status === 'SUCCESS').length;
  const wrong = checks
    .filter((check) => check.status === 'FAILURE' || check.status === 'WARNING')
    .map((check) => `${check.status} ${check.id}: ${check.description} ${check.errorMessage ?? ''}`);
  if (passed === 0) wrong.push('Nothing passed.');
  if (code !== 0) wrong.push(`The suite ended with ${code}.`);
  return { passed, wrong, output };
}
