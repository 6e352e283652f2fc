// The calls of the hosted product's Terraform provider (Portkey-AI/terraform-provider-portkey, e725881), in the order of its
// resources, with the bodies and the reading that its package `internal/client` has. The provider itself needs Go and its modules.
import assert from 'node:assert/strict';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/;

/** Plays the provider at `base` (ends in /v1). Leaves nothing behind. Gives each call: [resource, HTTP method, path, status]. */
export async function terraform(base, key, mcpUrl) {
  const calls = [];
  async function send(resource, method, path, body, wanted = 200) {
    const headers = { 'content-type': 'application/json', 'x-portkey-api-key': key };
    const response = await fetch(base + path, { method, headers, body: body && JSON.stringify(body) });
    const text = await response.text();
    calls.push([`portkey_${resource}`, method, new URL(base + path).pathname, response.status]);
    assert.equal(response.status, wanted, `${method} ${path}: ${text}`);
    return JSON.parse(text);
  }
  const times = (one, ...names) => names.forEach((name) => assert.match(one[name], TIME, name));

  // portkey_workspace: what is created is what the response says; each update is read back.
  const limits = { rate_limits: [{ type: 'requests', unit: 'rpm', value: 10 }], usage_limits: [{ type: 'cost', credit_limit: 1 }] };
  const workspace = await send('workspace', 'POST', '/admin/workspaces', { name: 'Terraform', icon: '🚪', description: 'made by Terraform', defaults: { metadata: { a: 'b' } }, ...limits });
  times(workspace, 'created_at', 'last_updated_at');
  const one = `/admin/workspaces/${workspace.id}`;
  await send('workspace', 'PUT', one, { name: 'Terraform, renamed', icon: '', usage_limits: null, rate_limits: null });
  assert.equal((await send('workspace', 'GET', one)).name, 'Terraform, renamed');
  assert.ok((await send('workspaces', 'GET', '/admin/workspaces')).data.some(({ id }) => id === workspace.id));

  // portkey_user_invite, portkey_user(s), portkey_workspace_member.
  const invite = await send('user_invite', 'POST', '/admin/users/invites', { email: 'terraform@acme.example', role: 'member', workspaces: [{ id: workspace.id, role: 'member' }], workspace_api_key_details: { scopes: ['logs.view'] } });
  times(await send('user_invite', 'GET', `/admin/users/invites/${invite.id}`), 'created_at', 'expires_at');
  assert.ok((await send('user_invites', 'GET', '/admin/users/invites')).data.some(({ id }) => id === invite.id));
  const user = `/admin/users/${invite.id}`;
  times(await send('user', 'GET', user), 'created_at');
  for (const [page, found] of [['', 1], ['&currentPage=1', 0]]) assert.equal((await send('users', 'GET', `/admin/users?pageSize=100${page}&email=terraform@acme.example`)).data.length, found);
  await send('user', 'PUT', user, { role: 'admin' });
  const member = `${one}/users/${invite.id}`;
  await send('workspace_member', 'PUT', member, { role: 'manager' });
  const read = await send('workspace_member', 'GET', member);
  assert.equal(read.role.replace(/^ws-/, ''), 'manager');
  await send('workspace_member', 'DELETE', member);
  await send('workspace_member', 'POST', `${one}/users`, { users: [{ id: invite.id, role: 'member' }] });
  assert.equal((await send('workspace_member', 'GET', `${one}/users`)).data.length, 1);
  await send('user', 'PUT', user, { role: 'member' });
  await send('user_invite', 'DELETE', `/admin/users/invites/${invite.id}`);
  await send('user', 'DELETE', user);

  // portkey_mcp_integration, its workspace access and its capabilities.
  const created = await send('mcp_integration', 'POST', '/mcp-integrations', { name: 'Terraform', slug: 'terraform', description: 'made by Terraform', url: mcpUrl, auth_type: 'oauth_auto', transport: 'http', configurations: { oauth_metadata: { client_name: 'Acme' }, custom_headers: { 'x-key': 's3cret' } } });
  const integration = `/mcp-integrations/${created.id}`;
  const found = await send('mcp_integration', 'GET', integration);
  assert.deepEqual([found.name, found.slug, found.auth_type, found.transport, found.type, found.status], ['Terraform', 'terraform', 'oauth_auto', 'http', 'organisation', 'active']);
  await send('mcp_integration', 'PUT', integration, { name: 'Terraform, renamed', url: mcpUrl, auth_type: 'oauth_auto', transport: 'http' });
  assert.ok((await send('mcp_integrations', 'GET', `/mcp-integrations?workspace_id=${workspace.id}`)).data);
  const access = 'mcp_integration_workspace_access';
  // It looks for the id that it sent: the slug, where the configuration names the workspace by it.
  for (const id of [workspace.slug, workspace.id]) {
    await send(access, 'PUT', `${integration}/workspaces`, { workspaces: [{ id, enabled: true }] });
    assert.deepEqual((await send(access, 'GET', `${integration}/workspaces`)).workspaces.find((row) => row.id === id)?.enabled, true, id);
  }
  await send(access, 'PUT', `${integration}/workspaces`, { workspaces: [{ id: workspace.id, enabled: false }] });
  const capabilities = [{ name: 'drop', type: 'tool', enabled: false }];
  await send('mcp_integration_capabilities', 'PUT', `${integration}/capabilities`, { capabilities });
  assert.deepEqual((await send('mcp_integration_capabilities', 'GET', `${integration}/capabilities`)).data.map(({ name, type, enabled }) => ({ name, type, enabled })), capabilities);
  await send('mcp_integration_capabilities', 'PUT', `${integration}/capabilities`, { capabilities: [{ ...capabilities[0], enabled: true }] });
  await send('mcp_integration', 'DELETE', integration);
  await send('mcp_integration', 'GET', integration, undefined, 404);

  // portkey_api_key.
  const scopes = ['mcp.invoke', 'mcp_servers.list'];
  const made = await send('api_key', 'POST', '/api-keys/workspace/service', { name: 'Terraform', workspace_id: workspace.id, scopes, rate_limits: limits.rate_limits, usage_limits: { credit_limit: 1 }, defaults: { metadata: { a: 'b' }, allow_config_override: true }, alert_emails: ['a@acme.example'], expires_at: '2100-01-01T00:00:00Z', rotation_policy: { rotation_period: 'monthly' } });
  const apiKey = `/api-keys/${made.id}`;
  const stored = await send('api_key', 'GET', apiKey);
  assert.deepEqual([stored.type, stored.status, stored.scopes], ['workspace-service', 'active', scopes]);
  times(stored, 'created_at', 'last_updated_at', 'expires_at');
  await send('api_key', 'PUT', apiKey, { name: 'Terraform, renamed', scopes, usage_limits: null, rate_limits: null, alert_emails: null, expires_at: null, reset_usage: true, defaults: { config_id: null } });
  assert.equal((await send('api_keys', 'GET', `/api-keys?workspace_id=${workspace.id}`)).data.length, 1);
  const rotated = await send('api_key', 'POST', `${apiKey}/rotate`, { key_transition_period_ms: 1_800_000 });
  assert.match(rotated.key, /^mcpr_/);
  await send('api_key', 'DELETE', `/api-keys/${rotated.id}`);

  // portkey_secret_reference: the operator declares secrets, so it is refused with the reason; portkey_secret_references reads.
  const reference = { name: 'Key', slug: 'key', manager_type: 'hashicorp_vault', auth_config: { vault_addr: 'https://vault.example' }, secret_path: 'a/b' };
  assert.ok((await send('secret_references', 'GET', '/secret-references?page_size=100')).data.some(({ slug }) => slug === 'linear'));
  await send('secret_reference', 'POST', '/secret-references', reference, 409);
  await send('secret_reference', 'GET', '/secret-references/linear');
  await send('secret_reference', 'PUT', '/secret-references/linear', { name: 'Key' }, 409);
  await send('secret_reference', 'DELETE', '/secret-references/linear', undefined, 409);

  // portkey_scim_workspace_mapping: not there; groups are mapped at sign-in.
  const mapping = { workspace_id: workspace.id, role: 'member', scim_group_name: 'everybody' };
  await send('scim_workspace_mapping', 'POST', '/scim/workspaces', mapping, 404);
  await send('scim_workspace_mappings', 'GET', '/scim/workspaces?page_size=100&page=0', undefined, 404);
  await send('scim_workspace_mapping', 'DELETE', '/scim/workspaces/any', undefined, 404);

  await send('workspace', 'DELETE', one, { name: 'Terraform, renamed', force_delete: true });
  await send('workspace', 'GET', one, undefined, 404);
  return calls;
}
