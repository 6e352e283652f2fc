// Gives each line of a file to the client parser of the MCP TypeScript SDK; prints the refused ones as JSON.

import { readFileSync } from 'node:fs';
import { OAuthClientInformationFullSchema } from '@modelcontextprotocol/sdk/shared/auth.js';

const refused = [];
for (const line of readFileSync(process.argv[2], 'utf8').split('\n')) {
  if (line === '') continue;
  const { success, error } = OAuthClientInformationFullSchema.safeParse(JSON.parse(line));
  if (!success) refused.push([line, error.message]);
}
console.log(JSON.stringify(refused));
