// What a gateway keeps for its users, in a folder that its processes share. In production: a database or Redis, encrypted, because
// it holds tokens. Three things matter: all processes see it, `take` gives a value once, and only one process holds a lock.
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { mkdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** A process that died with a lock does not keep it longer, in milliseconds. */
const LOCK_EXPIRY = 30_000;

export class Store {
  constructor(readonly folder: string) { mkdirSync(folder, { recursive: true, mode: 0o700 }); }

  async get<T>(key: string): Promise<T | undefined> {
    const text = await readFile(this.#path(key), 'utf8').catch(() => undefined);
    const { value, expires } = text === undefined ? { value: undefined, expires: 0 } : JSON.parse(text);
    return expires > Date.now() ? value : undefined;
  }

  async set(key: string, value: unknown, seconds: number): Promise<void> {
    const fresh = `${this.#path(key)}.${randomUUID()}`;
    await writeFile(fresh, JSON.stringify({ value, expires: Date.now() + seconds * 1000 }), { mode: 0o600 });
    await rename(fresh, this.#path(key)); // a reader sees the old value or the new one
  }

  /** The value, for one caller only. */
  async take<T>(key: string): Promise<T | undefined> {
    const mine = randomUUID();
    await rename(this.#path(key), this.#path(mine)).catch(() => undefined);
    const value = await this.get<T>(mine);
    await this.delete(mine);
    return value;
  }

  async delete(key: string): Promise<void> { await rm(this.#path(key), { force: true }); }

  /** One process at a time does this work. */
  async exclusively<T>(key: string, work: () => Promise<T>): Promise<T> {
    const lock = `${this.#path(key)}.lock`;
    while (!(await mkdir(lock).then(() => true, () => false))) {
      const age = await stat(lock).then((found) => Date.now() - found.mtimeMs, () => 0);
      if (age > LOCK_EXPIRY) await rmdir(lock).catch(() => undefined);
      await pause(20);
    }
    try { return await work(); } finally { await rmdir(lock).catch(() => undefined); }
  }

  #path(key: string): string { return join(this.folder, createHash('sha256').update(key).digest('hex')); }
}
