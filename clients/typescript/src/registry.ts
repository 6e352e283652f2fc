import type { AdvancedConfiguration, Changed, Configured, CreateIntegration, CreateServer, Finding, GatewayChange, GatewayChanges, GatewayDocument, GatewayPage, Integration, NotYet, Page, Reported, Server } from './types.js';

export interface RegistryOptions {
  /** Base URL of each replica. A request that gets no answer from one is sent to the next. */
  urls: string | string[];
  /** The API key, or a function that reads it before each request, so that a rotated key is used without a restart. */
  key: string | (() => string | Promise<string>);
  /** Milliseconds until an answer must be there; 15,000 when absent. */
  timeout?: number;
  fetch?: typeof fetch;
}

/** A request that the registry refused, or that no replica answered (`status` 0). */
export class RegistryError extends Error {
  constructor(message: string, readonly status: number, readonly code: string, readonly retryAfter?: number, readonly findings: Finding[] = [], cause?: unknown) {
    super(message, { cause });
    this.name = 'RegistryError';
  }
  /** Whether the registry itself says that there is no such thing; a 404 of something in between is not enough. */
  get notFound(): boolean { return this.status === 404 && this.code === 'not_found'; }
}

type Query = Record<string, string | number | boolean | undefined>;
interface Call { query?: Query; body?: unknown; headers?: Record<string, string>; signal?: AbortSignal; timeout?: number; repeatable?: boolean }
type Read<T> = (body: any, response: Response) => T | undefined;

/** A connection to the registry, over all of its replicas. */
export class Registry {
  readonly #urls: string[];
  #current = 0;

  constructor(readonly options: RegistryOptions) {
    this.#urls = [options.urls].flat().map((url) => url.replace(/\/+$/, ''));
    if (this.#urls.length === 0) throw new TypeError('`urls` is empty');
  }

  /** One request with a JSON answer. `read` checks the answer: undefined means that it is not one of the registry. */
  request<T>(method: string, path: string, call: Call = {}, read: Read<T> = (body) => body as T): Promise<T> {
    return this.send(method, path, call, async (response) => {
      const told = read(await response.json(), response);
      if (told === undefined) throw new SyntaxError(`${method} ${path}: not an answer of the registry`);
      return told;
    });
  }

  /** One request, sent to each replica in turn until one gives an answer that `read` can use. */
  async send<T>(method: string, path: string, call: Call, read: (response: Response) => Promise<T>): Promise<T> {
    const { query = {}, body, signal, timeout = this.options.timeout ?? 15_000 } = call;
    const search = new URLSearchParams(Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])));
    const target = search.size > 0 ? `${path}?${search}` : path;
    const attempts = call.repeatable ?? method !== 'POST' ? this.#urls.length : 1;
    let failed: RegistryError | undefined;
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const replica = this.#current;
      try {
        const { key } = this.options;
        const headers: Record<string, string> = { authorization: `Bearer ${typeof key === 'function' ? await key() : key}`, accept: 'application/json', ...call.headers };
        if (body !== undefined) headers['content-type'] = 'application/json';
        // A timeout of 0 is no limit: the caller has one of its own.
        const signals = [signal, timeout > 0 ? AbortSignal.timeout(timeout) : undefined].filter((one) => one !== undefined);
        const request = { method, headers, redirect: 'error' as const, signal: AbortSignal.any(signals), ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
        const response = await (this.options.fetch ?? fetch)(this.#urls[replica] + target, request);
        if (!response.ok) throw await refusal(response);
        return await read(response);
      } catch (error) {
        if (signal?.aborted) throw error;
        const said = error instanceof RegistryError ? error : new RegistryError(`${method} ${path}: ${String((error as Error).cause ?? error)}`, 0, 'no_answer', undefined, [], error);
        if (said.status !== 0 && said.status < 500) throw said;
        if (!failed || (said.retryAfter ?? 0) < (failed.retryAfter ?? 0)) failed = said;
        this.avoid(replica);
      }
    }
    throw failed;
  }

  /** The replica does not work: requests go to the next one, unless another request has moved on already. */
  avoid(replica = this.#current): void {
    if (this.#current === replica) this.#current = (replica + 1) % this.#urls.length;
  }

  /** MCP integrations, by id or slug. */
  readonly integrations = this.#collection<Integration, CreateIntegration, Partial<CreateIntegration> & { status?: string }>('/v1/mcp-integrations');
  /** MCP servers, by id or slug. */
  readonly servers = this.#collection<Server, CreateServer, Partial<CreateServer>>('/v1/mcp-servers');

  /** The Advanced Configuration of the organisation, and the check of one before it is saved. */
  readonly configurations = {
    get: () => this.request<Configured>('GET', '/v1/organisation/configuration'),
    put: (configurations: AdvancedConfiguration | null, version?: number) => this.request<Changed>('PUT', '/v1/organisation/configuration', { body: { configurations }, headers: ifMatch(version) }),
    check: (body: { configurations: AdvancedConfiguration; mcp_integration_id?: string; mcp_server_id?: string; workspace_id?: string }) =>
      this.request<{ valid: boolean; findings: Finding[] }>('POST', '/v1/advanced-configuration/check', { body, repeatable: true }),
  };

  /** What gateways ask for. A server is named `workspace/server`. */
  readonly gateway = {
    document: (name: string, query: { generation?: number | undefined; at_least?: number | undefined } = {}, signal?: AbortSignal) =>
      this.request<GatewayDocument>('GET', path(name), { query, ...(signal && { signal }) }, (body) => documentOf(body, name)),
    page: (since: number, signal?: AbortSignal) =>
      this.request<GatewayPage>('GET', '/v1/gateway/servers', { query: { since }, ...(signal && { signal }) }, (body) =>
        (Array.isArray(body?.data) && Number.isInteger(body.revision) && body.data.every((one: unknown) => documentOf(one)) ? body : undefined)),
    /** Without `since`: the current position, immediately. Else waits `wait` seconds for a change. */
    changes: (since?: number, wait = 30, signal?: AbortSignal) =>
      this.request<GatewayChanges>('GET', '/v1/gateway/changes', { query: { since, wait: since === undefined ? undefined : wait }, timeout: wait * 1000 + 15_000, ...(signal && { signal }) }, changesOf),
    /** Says that a user waits for the client of this server. */
    ensure: (name: string, wait = 5) =>
      this.request<GatewayDocument | NotYet>('POST', `${path(name)}/ensure`, { body: { wait }, repeatable: true, timeout: wait * 1000 + 15_000 }, (body) => (body?.object === 'ensure' ? (body as NotYet) : documentOf(body, name))),
    /** Says that the client of this generation does not work. */
    report: (name: string, generation: number, error: string) =>
      this.request<Reported>('POST', `${path(name)}/report`, { body: { generation, error }, repeatable: true }, (body) => (typeof body?.verdict === 'string' ? (body as Reported) : undefined)),
  };

  #collection<T extends Configured, New, Update>(root: string) {
    const one = (reference: string) => `${root}/${encodeURIComponent(reference)}`;
    const list = (query: Query = {}) => this.request<Page<T>>('GET', root, { query });
    return {
      list,
      /** Everything, page after page. */
      async *all(query: Query = {}): AsyncGenerator<T> {
        for (let cursor: string | null | undefined; ;) {
          const page = await list(cursor ? { ...query, cursor } : query);
          yield* page.data;
          if (!(cursor = page.has_more ? page.next_cursor : undefined)) return;
        }
      },
      get: (reference: string) => this.request<T>('GET', one(reference)),
      create: (body: New) => this.request<{ id: string; slug: string; findings: Finding[] }>('POST', root, { body }),
      /** With the `version` that was read, another user's change is never overwritten (412). */
      update: (reference: string, body: Update, version?: number) => this.request<Changed>('PUT', one(reference), { body, headers: ifMatch(version) }),
      delete: (reference: string) => this.request<unknown>('DELETE', one(reference)),
    };
  }
}

function ifMatch(version?: number): Record<string, string> {
  return version === undefined ? {} : { 'if-match': `"${version}"` };
}

function path(name: string): string {
  return `/v1/gateway/servers/${name.split('/').map(encodeURIComponent).join('/')}`;
}

/** The document, if it is one: of this name, and whole. */
export function documentOf(body: any, name?: string): GatewayDocument | undefined {
  const whole = typeof body?.workspace === 'string' && typeof body.server === 'string' && typeof body.url === 'string' && Number.isInteger(body.revision) && typeof body.status === 'string';
  const client = body?.client === undefined || (typeof body.client.client_id === 'string' && typeof body.client.issuer === 'string' && Number.isInteger(body.generation));
  return whole && client && (name === undefined || name === `${body.workspace}/${body.server}`) ? body : undefined;
}

function changesOf(body: any): GatewayChanges | undefined {
  return Number.isInteger(body?.revision) && Array.isArray(body.changes) && body.changes.every((one: GatewayChange) => Number.isInteger(one?.revision)) ? body : undefined;
}

async function refusal(response: Response): Promise<RegistryError> {
  const problem = await response.json().catch(() => undefined) as { code?: unknown; detail?: unknown; errors?: Finding[] } | undefined;
  const code = typeof problem?.code === 'string' ? problem.code : '';
  return new RegistryError(`${response.status} ${problem?.detail ?? response.statusText}`, response.status, code, delay(response.headers.get('retry-after')), problem?.errors);
}

/** `Retry-After` in milliseconds (RFC 9110 §10.2.3: seconds, or a date). */
function delay(value: string | null): number | undefined {
  if (value === null) return undefined;
  const milliseconds = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds);
}
