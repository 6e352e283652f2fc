// The user of lib/user-agent.mjs for programs in other languages: prints where an authorization ends.
//   node walk.mjs AUTHORIZATION_URL CALLBACK
import { authorize } from './user-agent.mjs';

const [start, callback] = process.argv.slice(2);
console.log((await authorize(start, callback)).href);
