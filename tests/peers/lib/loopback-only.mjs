// Preloaded (`node --import`) into programs of others: keeps them on 127.0.0.1, and ends them with their standard input.
import { Server } from 'node:net';
import { endWithStdin } from './peer.mjs';

endWithStdin();

// Node's own step below `listen`: above it a host name costs a tick, and some programs read `address()` in the same one.
const bind = Server.prototype._listen2;
if (typeof bind !== 'function') throw new Error('This Node.js has no net.Server.prototype._listen2: nothing is started, because nothing would keep it on loopback.');
Server.prototype._listen2 = function (address, port, family, ...rest) {
  const pipe = family === -1;
  return pipe ? bind.call(this, address, port, family, ...rest) : bind.call(this, '127.0.0.1', port, 4, ...rest);
};
