// A program that follows (docs/examples/follower.*, mcp-registry-follow), as a test sees it: its lines, and commands to it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { here } from './build.mjs';
import { until } from './fake-registry.mjs';

export function drive(command, environment) {
  const [program, ...parameters] = command;
  const child = spawn(program, parameters, { env: { ...process.env, NO_PROXY: '127.0.0.1', PYTHONPATH: here('../../../clients/python'), PYTHONDONTWRITEBYTECODE: '1', ...environment }, stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = once(child, 'exit');
  const events = [];
  let errors = '';
  child.stderr.on('data', (data) => { errors += data; });
  createInterface({ input: child.stdout }).on('line', (line) => { events.push(JSON.parse(line)); });
  const event = (fits, from = 0) => until(() => {
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}: ${errors}`);
    return events.slice(from).find(fits);
  }, () => `no such event in ${JSON.stringify(events.slice(from))} ${errors}`);
  return {
    events,
    event,
    /** The answer to a command. */
    async ask(line, word) {
      const from = events.length;
      child.stdin.write(`${line}\n`);
      return event((one) => one.event === word, from);
    },
    send: (line) => child.stdin.write(`${line}\n`),
    async stop() {
      child.stdin.end();
      const [code] = await ended;
      if (code !== 0) throw new Error(`ended with ${code}: ${errors}`);
    },
  };
}
