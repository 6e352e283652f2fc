// A front of the registry that passes everything on and notes each call: [HTTP method, path, status].
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { pipeline } from 'node:stream';

export async function record(target) {
  const { hostname, port } = new URL(target);
  const calls = [];
  const front = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const onward = request({ hostname, port, method, path: url, headers }, (answer) => {
      calls.push([method, url.split('?')[0], answer.statusCode]);
      outgoing.writeHead(answer.statusCode, answer.rawHeaders);
      pipeline(answer, outgoing, () => {});
    });
    onward.on('error', () => outgoing.destroy());
    pipeline(incoming, onward, () => {});
    outgoing.on('close', () => onward.destroy());
  });
  await once(front.listen(0, '127.0.0.1'), 'listening');
  const stop = () => { front.closeAllConnections(); front.close(); };
  return { url: `http://127.0.0.1:${front.address().port}`, calls, stop };
}
