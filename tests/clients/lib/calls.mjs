// Which client makes which call, and how it is answered: what the tests of this folder saw, and the tables of docs/gateways.md.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { here } from './build.mjs';

const GUIDE = here('../../../docs/gateways.md');
const { paths } = JSON.parse(await readFile(here('../../../openapi/registry.json'), 'utf8'));

/** Operations of other products that the registry does not have; docs/api-design.md gives the reasons. */
const ELSEWHERE = ['/v1/scim/workspaces', '/v1/scim/workspaces/{mapping}'];
/** The answers that say "not here", where they are meant. */
const NOT_HERE = ['PUT /v1/mcp-servers/{server}/tokens 501', ...ELSEWHERE.flatMap((path) => ['GET', 'POST', 'DELETE'].map((method) => `${method} ${path} 404`))];

/** Client → "METHOD path template" → name of the client's method or resource → statuses. */
const seen = new Map();

/** The path of the OpenAPI document that `path` belongs to; fixed segments go before parameters. */
function template(method, path) {
  const segments = path.split('/');
  const fits = (one) => {
    const parts = one.split('/');
    return parts.length === segments.length && parts.every((part, index) => part.startsWith('{') || part === segments[index]);
  };
  const parameters = (one) => one.split('{').length;
  const known = Object.keys(paths).filter((one) => fits(one) && method.toLowerCase() in paths[one]);
  const [found] = [...known, ...ELSEWHERE.filter(fits)].sort((one, other) => parameters(one) - parameters(other));
  return found ?? assert.fail(`${method} ${path} is no operation of the registry`);
}

/** Notes calls, each [name, method, path, status]; `name` may be empty. */
export function note(client, calls) {
  const operations = seen.get(client) ?? new Map();
  seen.set(client, operations);
  for (const [name, method, path, status] of calls) {
    const operation = `${method} ${template(method, path)}`;
    const names = operations.get(operation) ?? new Map();
    operations.set(operation, names);
    names.set(name, new Set([...(names.get(name) ?? []), status]));
    const refused = [405, 501].includes(status) || (status === 404 && ELSEWHERE.some((one) => operation.endsWith(` ${one}`)));
    assert.ok(!refused || NOT_HERE.includes(`${operation} ${status}`), `${client}: ${operation} is answered with ${status}`);
  }
}

const ORDER = ['POST', 'GET', 'PUT', 'DELETE'];
const numbers = (statuses) => [...statuses].sort((one, other) => one - other).join(', ');

/** A row for each operation, a column for each client. */
function table(clients) {
  const operations = new Set(clients.flatMap((client) => [...(seen.get(client)?.keys() ?? [])]));
  const sorted = [...operations].map((one) => one.split(' ')).sort(([method, path], [other, next]) => (path < next ? -1 : path > next ? 1 : ORDER.indexOf(method) - ORDER.indexOf(other)));
  const cell = (client, operation) => [...(seen.get(client)?.get(operation) ?? [])].sort(([one], [other]) => (one < other ? -1 : 1)).map(([name, statuses]) => (name ? `\`${name}\` ${numbers(statuses)}` : numbers(statuses))).join('<br>') || '–';
  const row = (cells) => `| ${cells.join(' | ')} |`;
  return [
    row(['call', ...clients]),
    row(['call', ...clients].map(() => '---')),
    ...sorted.map(([method, path]) => row([`\`${method} ${path}\``, ...clients.map((client) => cell(client, `${method} ${path}`))])),
  ].join('\n');
}

/** Compares the tables of the guide with what was seen; `MCP_REGISTRY_TEST_UPDATE=1` writes them. */
export async function compare(tables) {
  let guide = await readFile(GUIDE, 'utf8');
  for (const [name, clients] of Object.entries(tables)) {
    for (const client of clients) assert.ok(seen.get(client)?.size, `no call of ${client} was noted`);
    const [begin, end] = [`<!-- made from calls: ${name} -->\n\n`, '\n\n<!-- made from calls: end -->'];
    const [before, rest] = guide.split(begin);
    const at = rest.indexOf(end);
    if (process.env.MCP_REGISTRY_TEST_UPDATE) {
      guide = before + begin + table(clients) + rest.slice(at);
    } else {
      assert.deepEqual(rest.slice(0, at).split('\n'), table(clients).split('\n'), 'MCP_REGISTRY_TEST_UPDATE=1 node --test tests/clients/ writes the table again');
    }
  }
  if (process.env.MCP_REGISTRY_TEST_UPDATE) await writeFile(GUIDE, guide);
}
