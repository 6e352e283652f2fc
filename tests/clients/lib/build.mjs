// The TypeScript library and a program on it, compiled as their READMEs say, in a folder of their own: nothing is written into the tree.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const run = promisify(execFile);
export const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const TSC = here('../../node_modules/typescript/bin/tsc');

let users = 0;
let made;

/** A folder with `node_modules` that holds the library as `npm pack` gives it, and the packages of the tests: one in each process. */
export async function installed() {
  users += 1;
  made ??= install();
  const folder = await made;
  // The last one clears up.
  return { folder, remove: async () => { if ((users -= 1) === 0) await rm(folder, { recursive: true }); } };
}

async function install() {
  const folder = await mkdtemp(join(tmpdir(), 'mcp-registry-client-'));
  const source = join(folder, 'source');
  await cp(here('../../../clients/typescript'), source, { recursive: true, filter: (path) => !/\/(node_modules|dist)$/.test(path) });
  await compile(['--project', source]);
  const { stdout } = await run('npm', ['pack', '--silent', '--offline', '--pack-destination', folder], { cwd: source });
  const modules = join(folder, 'node_modules');
  await mkdir(join(modules, 'mcp-registry-client'), { recursive: true });
  await run('tar', ['-xzf', join(folder, stdout.trim()), '-C', join(modules, 'mcp-registry-client'), '--strip-components=1']);
  for (const name of ['@modelcontextprotocol', '@types']) await symlink(here(`../../node_modules/${name}`), join(modules, name));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  return folder;
}

/** Compiles files beside the library with the options that the guide names; gives where the first one's JavaScript is. */
export async function program(folder, ...files) {
  for (const file of files) await writeFile(join(folder, basename(file)), await readFile(file));
  const guide = await readFile(here('../../../docs/gateway-guide.md'), 'utf8');
  const [, options] = guide.match(/^npx tsc (--strict .*?) gateway\.ts/m);
  const folders = ['--typeRoots', join(folder, 'node_modules/@types'), '--rootDir', folder, '--outDir', folder];
  await compile([...options.split(' '), ...folders, ...files.map((file) => join(folder, basename(file)))]);
  return join(folder, basename(files[0]).replace(/\.ts$/, '.js'));
}

async function compile(options) {
  await run(process.execPath, [TSC, ...options]).catch((error) => assert.fail(error.stdout || error));
}
