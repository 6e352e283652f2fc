// The programs of the libraries' READMEs run as they are shown, and the Python library is typed without a gap.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { here, installed, program, run } from './lib/build.mjs';
import { FakeRegistry } from './lib/fake-registry.mjs';

const CLIENTS = here('../../../clients');
const PYTHON = process.env.MCP_REGISTRY_TEST_PYTHON;
const SHOWN = ['acme/notes generation 1', 'report: noted', 'acme/unknown does not exist'];

let library;
let registry;
before(async () => {
  library = await installed();
  registry = await FakeRegistry.start();
  registry.put('acme/notes');
});
after(async () => {
  await registry.stop();
  await library.remove();
});

async function shown(language, fence, name) {
  const readme = await readFile(join(CLIENTS, language, 'README.md'), 'utf8');
  const file = join(library.folder, name);
  await writeFile(file, readme.match(new RegExp(`\`\`\`${fence}\n([\\s\\S]*?)\`\`\``))[1]);
  return file;
}

async function prints(command, parameters, environment = {}) {
  const settings = { REGISTRY_URLS: registry.urls.join(','), REGISTRY_KEY: registry.key, ...environment };
  const { stdout } = await run(command, parameters, { env: { ...process.env, ...settings }, timeout: 60_000 });
  assert.deepEqual(stdout.trim().split('\n'), SHOWN);
}

test('README: TypeScript', async () => {
  await prints(process.execPath, [await program(library.folder, await shown('typescript', 'ts', 'readme.ts'))]);
});

test('README: Python', async () => {
  await prints(PYTHON, [await shown('python', 'python', 'readme.py')], { PYTHONPATH: join(CLIENTS, 'python'), PYTHONDONTWRITEBYTECODE: '1' });
});

test('Python: mypy finds nothing, strictly', async () => {
  const files = [join(CLIENTS, 'python/mcp_registry_client'), here('../../../docs/examples/follower.py'), here('../api.py'), await shown('python', 'python', 'readme.py')];
  const options = ['--strict', '--python-version', '3.10', '--cache-dir', join(library.folder, 'mypy')];
  await run(PYTHON, ['-m', 'mypy', ...options, ...files], { cwd: join(CLIENTS, 'python') }).catch((error) => assert.fail(error.stdout || error));
});
