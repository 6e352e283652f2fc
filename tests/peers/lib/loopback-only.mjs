// Preloaded (`node --import`) into programs of others: keeps them on 127.0.0.1, and ends them with their standard input.
import { Server } from 'node:net';
import { endWithStdin } from './peer.mjs';

endWithStdin();

const listen = Server.prototype.listen;
Server.prototype.listen = function (port, ...rest) {
  if (typeof port === 'object' && port !== null) return listen.call(this, { ...port, host: '127.0.0.1' }, ...rest);
  const callback = rest.find((argument) => typeof argument === 'function');
  return listen.call(this, { port: Number(port), host: '127.0.0.1' }, callback);
};
