// The gateway's side of the registry in memory, over several replicas, with a fault for any request: what real ones do on bad days.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

const KEPT = '/v1/gateway/servers/';

export class FakeRegistry {
  constructor() {
    this.key = 'key-1';
    this.revision = 0;
    this.documents = new Map();
    this.old = new Map(); // by "name generation": clients that drain
    this.changes = [];
    this.since = 0; // positions before it have expired
    this.faults = []; // [fits(request), answer(response, request), how often]
    this.requests = [];
    this.reports = [];
    this.verdict = 'noted';
    this.waiting = new Set();
    this.replicas = [];
  }

  static async start(count = 1) {
    const registry = new FakeRegistry();
    for (let index = 0; index < count; index += 1) {
      const server = createServer((request, response) => registry.#answer(index, request, response).catch((error) => response.destroy(error)));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      registry.replicas.push({ server, url: `http://127.0.0.1:${server.address().port}` });
    }
    return registry;
  }

  get urls() { return this.replicas.map((replica) => replica.url); }

  put(name, members = {}) {
    const [workspace, server] = name.split('/');
    const before = this.documents.get(name);
    const generation = members.generation ?? before?.generation ?? 1;
    if (before && before.generation !== generation) this.old.set(`${name} ${before.generation}`, before);
    this.revision += 1;
    const client = { client_id: `client-${generation}`, token_endpoint_auth_method: 'none', redirect_uris: ['http://127.0.0.1/callback'], issuer: 'https://as.example' };
    const authorizationServer = { issuer: 'https://as.example', authorization_endpoint: 'https://as.example/authorize', token_endpoint: 'https://as.example/token' };
    this.documents.set(name, { workspace, server, integration: server, url: 'https://mcp.example/', transport: 'http', auth_type: 'oauth_auto', status: 'active', ...members, revision: this.revision, generation, client, authorization_server: authorizationServer });
    this.#tell({ revision: this.revision, event: 'changed', workspace, server });
  }

  delete(name) {
    const [workspace, server] = name.split('/');
    this.revision += 1;
    this.documents.delete(name);
    this.#tell({ revision: this.revision, event: 'deleted', workspace, server });
  }

  /** Positions before now expire, as after a long absence: followers are told to fetch everything. */
  expire() {
    this.revision += 1;
    this.since = this.revision;
    this.changes = [];
    this.cut();
  }

  /** `answer(response, request, replica)` instead of the registry, for the next `times` requests that fit. */
  fault(fits, answer, times = 1) {
    const fault = { fits: (request) => (typeof fits === 'string' ? request.path.startsWith(fits) : fits(request)), answer, times };
    this.faults.push(fault);
    return { end: () => { fault.times = 0; } };
  }

  /** Whether each fault has happened. */
  get spent() { return this.faults.every((fault) => fault.times === 0); }

  /** Ends what followers wait for, without a word. */
  cut() {
    for (const response of this.waiting) response.destroy();
  }

  async stop() {
    for (const { server } of this.replicas) {
      server.closeAllConnections();
      server.close();
    }
  }

  #tell(change) {
    this.changes.push(change);
    for (const response of [...this.waiting]) response.look();
  }

  async #answer(replica, request, response) {
    const url = new URL(request.url, 'http://registry');
    let text = '';
    for await (const chunk of request) text += chunk;
    const asked = { method: request.method, path: url.pathname, query: Object.fromEntries(url.searchParams), headers: request.headers, body: text && JSON.parse(text), replica, at: Date.now() };
    this.requests.push(asked);
    const fault = this.faults.find((one) => one.times > 0 && one.fits(asked));
    if (fault) {
      fault.times -= 1;
      return fault.answer(response, asked, this);
    }
    if (request.headers.authorization !== `Bearer ${this.key}`) return refuse(response, 401, 'unauthenticated');
    if (url.pathname === '/v1/gateway/changes') return this.#follow(asked, response);
    if (url.pathname === '/v1/gateway/servers') {
      // One document a page, so that there are pages.
      const after = [...this.documents.values()].filter((one) => one.revision > Number(asked.query.since)).sort((a, b) => a.revision - b.revision);
      return send(response, 200, { object: 'list', data: after.slice(0, 1), has_more: after.length > 1, revision: after[0]?.revision ?? this.revision });
    }
    const [workspace, server, verb] = url.pathname.slice(KEPT.length).split('/');
    const name = `${workspace}/${server}`;
    const document = this.documents.get(name);
    if (!url.pathname.startsWith(KEPT) || !document) return refuse(response, 404, 'not_found');
    if (verb === 'ensure') return send(response, 200, document);
    if (verb === 'report') {
      this.reports.push({ name, ...asked.body });
      return send(response, 200, { object: 'report', verdict: asked.body.generation === document.generation ? this.verdict : 'stale' });
    }
    const { generation, at_least: atLeast } = asked.query;
    if (atLeast !== undefined && Number(atLeast) > this.revision) return refuse(response, 404, 'not_found');
    const found = generation === undefined || Number(generation) === document.generation ? document : this.old.get(`${name} ${generation}`);
    return found ? send(response, 200, found) : refuse(response, 404, 'not_found');
  }

  #follow({ query, headers }, response) {
    const stream = headers.accept?.includes('text/event-stream');
    const last = headers['last-event-id'] ?? query.since;
    if (last === undefined) return send(response, 200, { object: 'changes', revision: this.revision, reset: false, changes: [] });
    let since = Number(last);
    const finish = () => this.waiting.delete(response);
    response.on('close', finish);
    if (stream) response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': still here\n\n');
    response.look = () => {
      const reset = since < this.since;
      const changes = reset ? [] : this.changes.filter((change) => change.revision > since);
      if (changes.length === 0 && !reset) return;
      since = this.revision;
      if (!stream) {
        finish();
        send(response, 200, { object: 'changes', revision: since, reset, changes });
      } else if (reset) {
        response.write(`id: ${since}\nevent: reset\ndata: {"revision":${since}}\n\n`);
      } else {
        // In two pieces, cut within an event.
        const events = changes.map((change) => `id: ${change.revision}\nevent: ${change.event}\ndata: ${JSON.stringify(change)}\n\n`).join('');
        response.pieces = (response.pieces ?? Promise.resolve()).then(async () => {
          response.write(events.slice(0, 15));
          await pause(1);
          response.write(events.slice(15));
        });
      }
    };
    this.waiting.add(response);
    response.look();
  }
}

export function send(response, status, body, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

export function refuse(response, status, code, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/problem+json', ...headers }).end(JSON.stringify({ title: code, status, detail: code, code, errors: [] }));
}

/** What `look` gives, as soon as it gives something. */
export async function until(look, what, patience = 10_000) {
  for (const end = Date.now() + patience; ;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${typeof what === 'function' ? what() : what}: not within ${patience} ms`);
    await pause(5);
  }
}
