// All tests of the client libraries in one process: the TypeScript library is compiled once.
import './client-authentication.mjs';
import './follower.mjs';
import './readme.mjs';
import './registry.mjs';
import './hosted.mjs'; // last: it compares what all of them called with the guide
