// Reads a JSON list of gateway documents' `client` members from a file and prints, for each, what the TypeScript SDK's
// parser says of it: null, or the issues it found.
import { readFileSync } from "node:fs";
import { OAuthClientInformationFullSchema } from "@modelcontextprotocol/sdk/shared/auth.js";

const clients = JSON.parse(readFileSync(process.argv[2], "utf8"));
const said = clients.map((client) => {
  const parsed = OAuthClientInformationFullSchema.safeParse(client);
  return parsed.success ? null : parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ");
});
console.log(JSON.stringify(said));
