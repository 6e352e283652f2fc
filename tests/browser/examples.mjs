// The configurations that the documentation shows, by the names that the pages give them.
import { readFileSync } from 'node:fs';

const example = (name) => readFileSync(new URL(`../../docs/examples/${name}.json`, import.meta.url), 'utf8').trimEnd();

export const EXAMPLES = {
  'Enterprise Compliance': example('enterprise-compliance'),
  'Pre-Registered Client': example('pre-registered-client'),
  'Custom Scopes': example('custom-scopes'),
};
