// The hosted product's own SDK for Node.js (npm `portkey-ai`) against our API: only its base URL and key are changed.
//   node portkey_sdk.mjs BASE_URL API_KEY WORKSPACE MCP_URL
// BASE_URL ends in /v1, API_KEY is an organisation admin's, WORKSPACE is the slug of an existing workspace, MCP_URL is an MCP
// server that asks for authorization. Leaves nothing behind. Exits 0 when every check held and every method was called; the
// last line, `calls <json>`, lists each call: method of the SDK, HTTP method, path, status.
import assert from 'node:assert/strict';
import { Portkey } from 'portkey-ai';

const CONFIGURATIONS = { oauth_client_metadata: { client_name: 'Acme Corp MCP Gateway', contacts: ['security@acme.com'] } };

if (process.argv.length !== 6) throw new Error('Usage: portkey_sdk.mjs BASE_URL API_KEY WORKSPACE MCP_URL');
const [baseURL, apiKey, workspace, mcpUrl] = process.argv.slice(2);

const calls = [];
let calling;
// The SDK takes the global `fetch` when a client is made.
const send = globalThis.fetch;
globalThis.fetch = async (url, request) => {
  const response = await send(url, request);
  calls.push([calling, request.method.toUpperCase(), new URL(url).pathname, response.status]);
  return response;
};

/** Notes the SDK's method of each call, in a resource and those in it. Returns the names of its methods. */
function trace(resource, name) {
  const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(resource)).filter((one) => one !== 'constructor');
  for (const method of methods) {
    const original = resource[method].bind(resource);
    resource[method] = (...parameters) => {
      calling = `${name}.${method}`;
      return original(...parameters);
    };
  }
  const within = Object.entries(resource).filter(([, value]) => value && Object.getPrototypeOf(Object.getPrototypeOf(value))?.constructor?.name === 'ApiResource');
  return [...methods.map((method) => `${name}.${method}`), ...within.flatMap(([member, value]) => trace(value, `${name}.${member}`))];
}

const client = new Portkey({ apiKey, baseURL });
const known = ['mcpIntegrations', 'mcpServers', 'apiKeys', 'admin'].flatMap((name) => trace(client[name], name));
const { mcpIntegrations, mcpServers, apiKeys, admin } = client;

const status = (wanted) => (error) => error.status === wanted || assert.fail(`${error.status} instead of ${wanted}: ${error.message}`);
const ids = (list) => list.data.map(({ id }) => id);

/** Create, retrieve by id and slug, list, update. Returns the id. */
async function integrationCycle() {
  const wanted = { name: 'SDK integration', slug: 'sdk-integration', url: mcpUrl, auth_type: 'oauth_auto', transport: 'http' };
  const { id, slug } = await mcpIntegrations.create({ ...wanted, description: 'made by the SDK', configurations: CONFIGURATIONS });
  assert.equal(slug, wanted.slug);
  const found = await mcpIntegrations.retrieve({ id });
  assert.deepEqual({ ...found, ...wanted, configurations: CONFIGURATIONS }, found);
  assert.equal((await mcpIntegrations.retrieve({ id: slug })).id, id);
  const tested = await mcpIntegrations.test({ id: slug });
  assert.deepEqual([tested.success, tested.url], [true, mcpUrl]);
  assert.deepEqual(ids(await mcpIntegrations.list({ type: 'all', current_page: 0, page_size: 100, search: 'sdk-integ' })), [id]);
  await mcpIntegrations.update({ id, name: 'SDK integration, renamed' });
  const renamed = await mcpIntegrations.retrieve({ id });
  assert.deepEqual([renamed.name, renamed.configurations], ['SDK integration, renamed', CONFIGURATIONS]);
  await assert.rejects(mcpIntegrations.update({ id, configurations: { oauth_client_metadata: { contacts: 'a@b.com' } } }), status(422));
  await assert.rejects(mcpIntegrations.create({ ...wanted, name: 'Again' }), status(409));
  return id;
}

async function workspaceAccess(id) {
  await mcpIntegrations.workspaces.update({ id, workspaces: [{ id: workspace, enabled: true }], global_workspace_access: null, override_existing_workspace_access: false });
  const access = await mcpIntegrations.workspaces.list({ id });
  assert.deepEqual(access.workspaces.map(({ id: one, enabled }) => [one, enabled]), [[workspace, true]]);
}

async function serverCycle(integration) {
  const { id, slug } = await mcpServers.create({ name: 'SDK server', mcp_integration_id: integration, workspace_id: workspace, slug: 'sdk-server', description: null });
  assert.equal(slug, 'sdk-server');
  assert.equal((await mcpServers.retrieve({ id })).name, 'SDK server');
  assert.ok(ids(await mcpServers.list({ workspace_id: workspace, current_page: 0, page_size: 100 })).includes(id));
  const tested = await mcpServers.test({ id });
  assert.deepEqual([tested.success, tested.status_code, tested.server_name], [true, 401, 'SDK server']);
  await capabilityCycle(integration, id);
  await userAccessCycle(id);
  await tokenCycle(id);
  await mcpServers.update({ id, description: 'changed by the SDK' });
  assert.equal((await mcpServers.retrieve({ id })).description, 'changed by the SDK');
  await mcpServers.delete({ id });
  await assert.rejects(mcpServers.retrieve({ id }), status(404));
}

async function capabilityCycle(integration, id) {
  // Both spellings of members that the SDK declares, and its own names for what a server says about itself.
  const tools = [{ name: 'add', type: 'tool', title: 'Add', inputSchema: { type: 'object' } }, { name: 'drop', type: 'tool', input_schema: { type: 'object' } }];
  const info = { name: 'sdk-upstream', version: '1.0', title: 'SDK', website_url: 'https://sdk.example', icons: [{ src: 'https://sdk.example/icon.png' }], protocol_version: '2025-11-25', capabilities: { tools: {} }, instructions: 'Add.' };
  const templates = [{ name: 'Labels', type: 'resource_template', uriTemplate: 'sdk://labels/{id}', mimeType: 'text/plain' }];
  await mcpIntegrations.sync({ id: integration, server_info: info, capabilities: [...tools, ...templates] });
  const upstream = await mcpIntegrations.metadata.get({ id: integration });
  assert.deepEqual([upstream.server_name, upstream.server_version, upstream.capability_flags], ['sdk-upstream', '1.0', { tools: {} }]);

  await mcpServers.capabilities.sync({ id, capabilities: [{ name: 'add', type: 'tool', description: 'Adds.', schema: { type: 'object', title: 'Of add' } }, { name: 'drop', type: 'tool', description: null, schema: null }] });
  const listed = await mcpServers.capabilities.list({ id });
  assert.deepEqual(listed.data.map(({ name }) => name), ['add', 'drop']);
  const { description, input_schema: schema } = listed.data[0];
  assert.deepEqual([description, schema], ['Adds.', { type: 'object', title: 'Of add' }]);
  await mcpIntegrations.capabilities.update({ id: integration, capabilities: [{ name: 'drop', type: 'tool', enabled: false }] });
  const off = (list) => list.data.filter(({ enabled }) => !enabled).map(({ name }) => name);
  const ofIntegration = await mcpIntegrations.capabilities.list({ id: integration });
  assert.deepEqual(off(ofIntegration), ['drop']);
  const template = ofIntegration.data.find(({ type }) => type === 'resource_template');
  assert.deepEqual([template.uri_template, template.mime_type], ['sdk://labels/{id}', 'text/plain']);
  await mcpServers.capabilities.update({ id, capabilities: [{ name: 'add', type: 'tool', enabled: false }] });
  assert.deepEqual(off(await mcpServers.capabilities.list({ id })), ['add', 'drop']);

  await mcpServers.metadata.sync({ id, server_name: 'sdk-upstream', server_version: '1.1', title: null, icons: null, capability_flags: null });
  assert.equal((await mcpServers.metadata.get({ id })).server_version, '1.1');
}

async function userAccessCycle(id) {
  const check = await mcpServers.userAccess.check({ id });
  assert.equal(check.has_access, true);
  // A user by `user_id` and by `id`.
  const users = [{ user_id: check.user_id, enabled: false }, { id: 'someone', enabled: true }];
  await mcpServers.userAccess.update({ id, user_access: users, default_user_access: 'deny' });
  const access = await mcpServers.userAccess.list({ id });
  assert.equal(access.default_user_access, 'deny');
  assert.deepEqual(access.data.filter(({ has_override }) => has_override).map(({ user_id, enabled }) => [user_id, enabled]), [[check.user_id, false]]);
  assert.equal((await mcpServers.userAccess.check({ id })).has_access, false);
}

async function tokenCycle(id) {
  await assert.rejects(mcpServers.getTokens({ id }), status(404));
  await assert.rejects(mcpServers.setTokens({ id, access_token: 'x', refresh_token: 'y' }), status(501));
  await mcpServers.deleteTokens({ id });
  await assert.rejects(mcpServers.getClientInfo({ id }), status(403)); // only gateways may read it
  const connections = await mcpServers.connections.list({ id, user_id: 'someone', workspace_id: workspace, current_page: 0, page_size: 100 });
  assert.deepEqual([connections.data, connections.total], [[], 0]);
  await mcpServers.connections.delete({ id, user_id: 'someone', workspace_id: workspace });
}

/** Workspaces by the admin paths. Returns the id of one. */
async function workspaceCycle() {
  const made = await admin.workspaces.create({ name: 'SDK workspace', description: 'made by the SDK', defaults: { metadata: { a: 'b' } } });
  const { id, slug } = made;
  assert.deepEqual([made.name, typeof slug], ['SDK workspace', 'string']);
  assert.equal((await admin.workspaces.retrieve({ workspaceId: id })).description, 'made by the SDK');
  assert.deepEqual(ids(await admin.workspaces.list({ exact_name: 'SDK workspace', page_size: 10, current_page: 0 })), [id]);
  await admin.workspaces.update({ workspaceId: id, name: 'SDK workspace, renamed', description: 'renamed' });
  assert.equal((await admin.workspaces.retrieve({ workspaceId: id })).name, 'SDK workspace, renamed');
  return id;
}

/** Invitations, users and members. */
async function userCycle(workspaceId) {
  const email = 'sdk@acme.example';
  const workspaces = [{ id: workspaceId, role: 'manager' }];
  const invite = await admin.users.invites.create({ email, role: 'member', workspaces, workspace_api_key_details: { scopes: ['logs.view'] } });
  const { id: userId } = invite;
  assert.match(invite.invite_link, /token=/);
  assert.equal((await admin.users.invites.retrieve({ inviteId: userId })).status, 'pending');
  assert.ok(ids(await admin.users.invites.list({ pageSize: 50, currentPage: 0, email, role: 'member', status: 'pending' })).includes(userId));
  await admin.users.invites.resend({ inviteId: userId });
  const user = await admin.users.retrieve({ userId });
  assert.deepEqual([user.email, user.role], [email, 'member']);
  assert.deepEqual(ids(await admin.users.list({ email, pageSize: 1, currentPage: 0 })), [userId]);
  assert.deepEqual(ids(await admin.users.list({ email, pageSize: 1, currentPage: 1 })), []);
  assert.equal((await admin.workspaces.users.retrieve({ workspaceId, userId })).role, 'manager');
  await admin.workspaces.users.update({ workspaceId, userId, role: 'member' });
  const members = await admin.workspaces.users.list({ workspaceId, page_size: 10, current_page: 0, email });
  assert.deepEqual(members.data.map(({ id, role }) => [id, role]), [[userId, 'member']]);
  await admin.users.update({ userId, role: 'admin' });
  await admin.workspaces.users.delete({ workspaceId, userId });
  await admin.workspaces.users.create({ workspaceId, users: [{ id: userId, role: 'admin' }] });
  const own = await apiKeys.create({ type: 'workspace', 'sub-type': 'user', name: 'SDK user key', workspace_id: workspaceId, user_id: userId, scopes: ['mcp.invoke'] });
  assert.equal((await apiKeys.retrieve({ id: own.id })).type, 'workspace-user');
  await admin.users.update({ userId, role: 'member' });
  await admin.users.invites.delete({ inviteId: userId });
  assert.equal((await admin.users.invites.retrieve({ inviteId: userId })).status, 'cancelled');
  await admin.users.delete({ userId });
  assert.equal((await apiKeys.retrieve({ id: own.id })).status, 'revoked'); // with its user
}

/** Keys by kind, with the hosted product's scopes. */
async function keyCycle(workspaceId) {
  const scopes = ['mcp.invoke', 'mcp_servers.list', 'completions.write'];
  const limits = { rate_limits: [{ type: 'requests', unit: 'rpm', value: 10 }], usage_limits: { credit_limit: 1 }, defaults: { metadata: { a: 'b' } } };
  const { id, object, key } = await apiKeys.create({ type: 'workspace', 'sub-type': 'service', name: 'SDK key', workspace_id: workspaceId, scopes, ...limits });
  assert.equal(object, 'api-key');
  assert.match(key, /^mcpr_/);
  const read = await apiKeys.retrieve({ id });
  assert.deepEqual([read.type, read.status, read.scopes], ['workspace-service', 'active', scopes]);
  await apiKeys.update({ id, name: 'SDK key, renamed', scopes: ['mcp.invoke'], ...limits });
  const changed = await apiKeys.retrieve({ id });
  assert.deepEqual([changed.name, changed.scopes], ['SDK key, renamed', ['mcp.invoke']]);
  assert.equal(ids(await apiKeys.list({ workspace_id: workspaceId, page_size: 1, current_page: 0 }))[0], id);
  await apiKeys.delete({ id });
  assert.equal((await apiKeys.retrieve({ id })).status, 'revoked');
  const organisation = await apiKeys.create({ type: 'organisation', 'sub-type': 'service', name: 'SDK admin key', scopes: ['organisation_mcp_integrations.list'] });
  await apiKeys.delete({ id: organisation.id });
}

await assert.rejects(new Portkey({ apiKey: 'mcpr_wrong', baseURL }).mcpIntegrations.list(), status(401));
calls.length = 0;
const id = await integrationCycle();
await workspaceAccess(id);
await serverCycle(id);
await mcpIntegrations.delete({ id });
await assert.rejects(mcpIntegrations.retrieve({ id }), status(404));
const made = await workspaceCycle();
await userCycle(made);
await keyCycle(made);
await admin.workspaces.delete({ workspaceId: made, name: 'SDK workspace, renamed' });
await assert.rejects(admin.workspaces.retrieve({ workspaceId: made }), status(404));
const called = new Set(calls.map(([method]) => method));
assert.deepEqual(known.filter((method) => !called.has(method)), [], 'methods of the SDK that were not called');
console.log(`calls ${JSON.stringify(calls)}`);
