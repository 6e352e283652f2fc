import { documentOf, type Registry, RegistryError } from './registry.js';
import type { GatewayChange, GatewayDocument, NotYet, Reported } from './types.js';

/** All documents at one position. It holds secrets: store it as you store tokens. */
export interface Saved { position: number; documents: GatewayDocument[] }

export interface FollowerOptions {
  /** `poll` (default): a request that waits for a change. `stream`: server-sent events. */
  mode?: 'poll' | 'stream';
  /** Seconds that a poll waits; 30 when absent. */
  wait?: number;
  /** Milliseconds without a byte after which a stream is dead; 45,000 when absent (the registry sends one every 15 seconds). */
  silence?: number;
  /** The shortest and the longest pause between attempts, in milliseconds; 500 and 30,000 when absent. */
  pause?: [number, number];
  /** What `save()` of an earlier process gave: served until the registry answers. */
  saved?: Saved;
  /** A document is new, has changed, or (undefined) is gone. */
  onChange?: (name: string, document: GatewayDocument | undefined) => void;
  /** The registry did not answer as it should; the documents stay, and the next attempt comes in `pause` milliseconds. */
  onError?: (error: unknown, pause: number) => void;
}

/** The longest `Retry-After` that is believed: a broken proxy must not blind a gateway for a day. */
const MAX_RETRY_AFTER = 300_000;
/** Reports of one client are not repeated within a minute: the registry wants a second one after that time. */
const REPORT_INTERVAL = 60_000;
/** The errors that concern a client; others are not reported (`invalid_grant` concerns one user's token). */
const REPORTABLE = new Set(['invalid_client', 'unauthorized_client', 'unknown_client', 'issuer_changed']);

/** The documents of all servers, kept up to date. Whatever happens, the last good documents stay. */
export class Follower {
  readonly #documents = new Map<string, GatewayDocument>();
  readonly #draining = new Map<string, GatewayDocument>();
  readonly #reports = new Map<string, Promise<Reported>>();
  readonly #watchers = new Set<() => void>();
  readonly #pause: [number, number];
  #position: number | undefined;
  #failures = 0;
  #ready = false;

  /** Since when the registry has not confirmed the documents; undefined while it does. */
  staleSince: Date | undefined = new Date();

  constructor(readonly registry: Registry, readonly options: FollowerOptions = {}) {
    this.#pause = options.pause ?? [500, 30_000];
    for (const document of options.saved?.documents ?? []) this.#documents.set(nameOf(document), document);
    this.#position = options.saved?.position;
    this.#ready = options.saved !== undefined;
  }

  /** The newest document of each `workspace/server`. */
  get documents(): ReadonlyMap<string, GatewayDocument> { return this.#documents; }

  /** Everything, to give to the next process. */
  save(): Saved | undefined {
    return this.#position === undefined ? undefined : { position: this.#position, documents: [...this.#documents.values()] };
  }

  /** Follows until `signal` says stop. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#position === undefined) await this.#snapshot(signal);
        // After a failure it polls: what cannot be applied holds up nothing else, and some proxies let no stream pass.
        else if (this.options.mode === 'stream' && this.#failures === 0) await this.#stream(signal);
        else await this.#poll(signal);
      } catch (error) {
        if (signal.aborted) return;
        this.staleSince ??= new Date();
        const pause = this.#next(this.#failures++, error);
        tell(() => this.options.onError?.(error, pause));
        await sleep(pause, signal);
      }
    }
  }

  /** Resolves when all documents were fetched once. */
  async ready(timeout = 30_000): Promise<void> {
    await this.until(() => this.#ready || undefined, timeout);
  }

  /** Waits for something that a change brings; throws after `timeout` milliseconds. */
  until<T>(look: () => T | undefined, timeout = 30_000): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = (): void => { clearTimeout(timer); this.#watchers.delete(check); };
      const check = (): void => {
        const found = look();
        if (found !== undefined) { end(); resolve(found); }
      };
      const timer = setTimeout(() => { end(); reject(new Error(`not within ${timeout} ms`)); }, timeout);
      this.#watchers.add(check);
      check();
    });
  }

  /** The document with a client, which the registry is asked for while a user waits; or why there is none. */
  async ensure(name: string, wait = 5): Promise<GatewayDocument | NotYet> {
    const held = this.#documents.get(name);
    if (held?.client) return held;
    const told = await this.registry.gateway.ensure(name, wait);
    return documentOf(told) ? this.#keep(told as GatewayDocument) : (told as NotYet);
  }

  /** The document of an earlier generation, for tokens that were issued to its client; undefined when that client is gone. */
  async generation(name: string, generation: number): Promise<GatewayDocument | undefined> {
    const held = this.#documents.get(name);
    if (held?.generation === generation) return held;
    try {
      return await this.registry.gateway.document(name, { generation });
    } catch (error) {
      const gone = error instanceof RegistryError && error.notFound;
      if (gone) this.#draining.delete(`${name} ${generation}`);
      const last = this.#draining.get(`${name} ${generation}`);
      if (gone || last) return last;
      throw error;
    }
  }

  /** Reports that this document's client does not work. One report a minute is sent, however many users meet the error. */
  report(document: GatewayDocument, error: string): Promise<Reported> {
    const { generation } = document;
    if (!REPORTABLE.has(error) || generation === undefined) return Promise.resolve({ object: 'report', verdict: 'ignored' });
    const key = `${nameOf(document)} ${generation} ${error}`;
    const sent = this.#reports.get(key) ?? this.#send(nameOf(document), generation, error);
    this.#reports.set(key, sent);
    const forget = setTimeout(() => this.#reports.delete(key), REPORT_INTERVAL) as unknown as { unref?: () => void };
    forget.unref?.();
    sent.catch(() => this.#reports.delete(key));
    return sent;
  }

  /** Waits until the client of this document was replaced. */
  renewed(document: GatewayDocument, timeout = 30_000): Promise<GatewayDocument> {
    return this.until(() => {
      const held = this.#documents.get(nameOf(document));
      return held?.client && (held.generation ?? 0) > (document.generation ?? 0) ? held : undefined;
    }, timeout);
  }

  async #send(name: string, generation: number, error: string): Promise<Reported> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const told = await this.registry.gateway.report(name, generation, error);
        if (told.verdict === 'stale') this.#keep(await this.registry.gateway.document(name));
        return told;
      } catch (failed) {
        const passing = failed instanceof RegistryError && [0, 429, 500, 502, 503, 504].includes(failed.status);
        if (!passing || attempt === 4) throw failed;
        await sleep(this.#next(attempt, failed));
      }
    }
  }

  // The position first, then the documents: what is deleted while the pages are read comes again as a change.
  async #snapshot(signal: AbortSignal): Promise<void> {
    const start = await this.registry.gateway.changes(undefined, 0, signal);
    const found = new Map<string, GatewayDocument>();
    for (let since = 0, more = true; more;) {
      const page = await this.registry.gateway.page(since, signal);
      for (const document of page.data) found.set(nameOf(document), document);
      more = page.has_more;
      since = page.revision;
    }
    // Only now, with all of them here, the old ones go.
    for (const name of [...this.#documents.keys()]) if (!found.has(name)) this.#put(name, undefined);
    for (const [name, document] of found) this.#put(name, document);
    this.#position = start.revision;
    this.#ready = true;
    this.#confirmed();
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const told = await this.registry.gateway.changes(this.#position, this.options.wait ?? 30, signal);
    if (told.reset) return this.#reset();
    let failed: unknown;
    for (const change of told.changes) await this.#apply(change, signal).catch((error: unknown) => { failed ??= error; });
    // The position stays, so that all of them come again.
    if (failed !== undefined) throw failed;
    this.#position = told.revision;
    this.#confirmed();
  }

  async #stream(signal: AbortSignal): Promise<void> {
    const silent = new AbortController();
    const both = AbortSignal.any([signal, silent.signal]);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const alive = (): void => { clearTimeout(timer); timer = setTimeout(() => silent.abort(new Error('the stream of changes is silent')), this.options.silence ?? 45_000); };
    alive();
    const call = { headers: { accept: 'text/event-stream', 'last-event-id': String(this.#position) }, signal: both, timeout: 0 };
    try {
      const body = await this.registry.send('GET', '/v1/gateway/changes', call, async (response) => {
        if (!response.headers.get('content-type')?.startsWith('text/event-stream') || !response.body) throw new SyntaxError('not a stream of events');
        return response.body;
      });
      this.staleSince = undefined;
      let text = '';
      for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
        alive();
        const events = (text + chunk).split(/\r?\n\r?\n/);
        text = events.pop() ?? '';
        for (const event of events) {
          const data = event.split(/\r?\n/).filter((line) => line.startsWith('data:')).map((line) => line.slice(5)).join('\n');
          if (!data) continue;
          const change = { event: /^event: ?(.*)$/m.exec(event)?.[1], ...JSON.parse(data) };
          await this.#apply(change, signal);
          if (change.event !== 'reset') this.#position = change.revision;
          if (this.#position === undefined) return;
        }
        if (events.length > 0) this.#confirmed();
      }
      throw new Error('the stream of changes ended');
    } catch (error) {
      this.registry.avoid();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #apply(change: GatewayChange, signal: AbortSignal): Promise<void> {
    if (change.event === 'reset') return this.#reset();
    if (!Number.isInteger(change.revision)) throw new SyntaxError('a change without a revision');
    const name = `${change.workspace}/${change.server}`;
    if (change.event === 'deleted') this.#put(name, undefined);
    if (change.event === 'changed') await this.#refresh(name, change.revision, signal);
  }

  async #refresh(name: string, atLeast: number | undefined, signal: AbortSignal): Promise<void> {
    try {
      this.#keep(await this.registry.gateway.document(name, { at_least: atLeast }, signal));
    } catch (error) {
      if (!(error instanceof RegistryError && error.notFound)) throw error;
      // 404 also says that the registry does not know this revision.
      if (atLeast !== undefined) return this.#refresh(name, undefined, signal);
      this.#put(name, undefined);
    }
  }

  #reset(): void { this.#position = undefined; }

  // A document that was fetched beside the changes may be older than what they brought.
  #keep(document: GatewayDocument): GatewayDocument {
    const held = this.#documents.get(nameOf(document));
    if (held && held.revision > document.revision) return held;
    this.#put(nameOf(document), document);
    return document;
  }

  #put(name: string, document: GatewayDocument | undefined): void {
    const held = this.#documents.get(name);
    if (JSON.stringify(held) === JSON.stringify(document)) return;
    if (document && held?.client && held.generation !== document.generation) this.#draining.set(`${name} ${held.generation}`, held);
    if (document) this.#documents.set(name, document);
    else this.#documents.delete(name);
    tell(() => this.options.onChange?.(name, document));
    this.#wake();
  }

  #confirmed(): void {
    this.#failures = 0;
    this.staleSince = undefined;
    this.#wake();
  }

  #wake(): void { for (const look of [...this.#watchers]) look(); }

  // Doubles with each failure, half of it by chance, so that gateways do not come back at the same moment.
  #next(failures: number, error: unknown): number {
    const [least, most] = this.#pause;
    const pause = Math.min(most, least * 2 ** Math.min(failures, 16)) * (0.5 + Math.random() / 2);
    const asked = error instanceof RegistryError ? Math.min(error.retryAfter ?? 0, MAX_RETRY_AFTER) : 0;
    return Math.max(pause, asked > 0 ? asked + Math.random() * least : 0);
  }
}

function nameOf(document: GatewayDocument): string { return `${document.workspace}/${document.server}`; }

// A callback that fails is its owner's matter; the documents stay up to date.
function tell(callback: () => void): void {
  try { callback(); } catch (error) { console.error(error); }
}

function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => { clearTimeout(timer); signal?.removeEventListener('abort', done); resolve(); };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener('abort', done);
    if (signal?.aborted) done();
  });
}
