export { type AssertionSigner, authenticateClient } from './client-authentication.js';
export { Follower, type FollowerOptions, type Saved } from './follower.js';
export { Registry, RegistryError, type RegistryOptions } from './registry.js';
export type * from './types.js';
