// Bundles the enhancement layer into dist/: live.js (htmx) and editor.js (CodeMirror), each with its compressed twins, and
// manifest.json with their sizes, by which build.rs knows that it is whole.
import { build } from 'esbuild';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const here = (path) => new URL(path, import.meta.url);
const dist = here('dist/');

await rm(dist, { recursive: true, force: true });
await mkdir(dist);
await build({
  entryPoints: { live: here('src/live.js').pathname, editor: here('src/editor/json-editor.js').pathname },
  outdir: dist.pathname,
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  // Its UMD build cannot be bundled.
  mainFields: ['module', 'main'],
  alias: { 'vscode-uri': here('src/editor/uri.js').pathname },
  charset: 'utf8',
  legalComments: 'none',
  logLevel: 'warning',
});

const sizes = {};
for (const name of ['live.js', 'editor.js']) {
  const bytes = await readFile(new URL(name, dist));
  const gzip = gzipSync(bytes, { level: 9 });
  const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
  await writeFile(new URL(`${name}.gz`, dist), gzip);
  await writeFile(new URL(`${name}.br`, dist), brotli);
  sizes[name] = { bytes: bytes.length, gzip: gzip.length, brotli: brotli.length };
}
await writeFile(new URL('manifest.json', dist), `${JSON.stringify(sizes, null, 2)}\n`);
console.log(sizes);
