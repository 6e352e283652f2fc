// What the registry sends, as far as this library reads it. Servers may add members; `openapi/registry.json` lists all of them.

/** A client as it was registered (RFC 7591 §3.2.1), with the issuer that it belongs to. */
export interface GatewayClient {
  client_id: string;
  client_secret?: string;
  /** Seconds since 1970; 0: never. */
  client_secret_expires_at?: number;
  token_endpoint_auth_method: string;
  redirect_uris?: string[];
  grant_types?: string[];
  scope?: string;
  client_name?: string;
  issuer: string;
  [member: string]: unknown;
}

/** Metadata of the client's authorization server (RFC 8414 §2). */
export interface AuthorizationServer {
  issuer: string;
  authorization_endpoint: string;
  token_endpoint: string;
  [member: string]: unknown;
}

/** Everything that a gateway needs for one server: one consistent snapshot. */
export interface GatewayDocument {
  workspace: string;
  server: string;
  integration: string;
  url: string;
  transport: string;
  auth_type: string;
  /** Revision of the last change; only grows. */
  revision: number;
  /** Generation of the client; only grows. Absent without a client. */
  generation?: number;
  status: 'active' | 'disabled';
  reason?: string;
  registration?: { state: string; method?: string; reason?: string; detail?: string };
  authorization_server?: AuthorizationServer;
  client?: GatewayClient;
  resource?: string;
  scope?: string;
  authorization_params?: Record<string, unknown>;
  headers?: Record<string, string>;
  passthrough_headers?: Record<string, string>;
  shared_upstream_client?: boolean;
  [member: string]: unknown;
}

/** There is no client yet. */
export interface NotYet { object: 'ensure'; state?: string; reason?: string; detail?: string; not_before?: string }
/** The reaction to a report. */
export interface Reported { object: 'report'; verdict: 'stale' | 'ignored' | 'noted' | 'checking' | 'replacing' | 'rediscovering' }
/** One change; `changed` and `deleted` name a document. */
export interface GatewayChange { revision: number; event: string; workspace?: string; server?: string }
/** The changes after a position. With `reset` the position has expired: fetch all documents again. */
export interface GatewayChanges { revision: number; reset: boolean; changes: GatewayChange[] }
/** One page of documents, in the order of their last change. */
export interface GatewayPage { data: GatewayDocument[]; has_more: boolean; revision: number }

/** A page of a list of the API. */
export interface Page<T> { data: T[]; total: number; has_more: boolean; next_cursor?: string | null }
/** A finding about a member of a request, with a JSON Pointer. */
export interface Finding { pointer: string; code: string; severity: 'error' | 'warning' | 'notice'; message: string }
/** The Advanced Configuration, as it was written. */
export type AdvancedConfiguration = Record<string, unknown>;
/** The Advanced Configuration of one layer, with the version for `If-Match`. */
export interface Configured { configurations?: AdvancedConfiguration | null; version: number; [member: string]: unknown }
/** The answer to a change. */
export interface Changed { findings: Finding[]; [member: string]: unknown }

export interface Integration extends Configured { id: string; slug: string; name: string; url: string; auth_type: string; transport: string; status: string }
export interface CreateIntegration { name: string; url: string; auth_type: string; transport: string; slug?: string; description?: string; workspace_id?: string; configurations?: AdvancedConfiguration }
export interface Server extends Configured { id: string; slug: string; name: string; status: string; mcp_integration_id: string; workspace_id: string; workspace_slug: string; registration?: { id: string; state: string; usable: boolean } | null }
export interface CreateServer { name: string; mcp_integration_id: string; workspace_id?: string; slug?: string; description?: string; configurations?: AdvancedConfiguration }
