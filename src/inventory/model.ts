import type { SpiffeId } from '../base/spiffe-id.ts';
import type { Template } from './template.ts';

export const kinds = ['agent', 'service', 'job', 'legacy'] as const;
export type Kind = (typeof kinds)[number];

/** 0 public, 1 internal, 2 confidential, 3 restricted. */
export type Sensitivity = 0 | 1 | 2 | 3;

/** The actions of cedar/schema.cedarschema: an HTTP method, or what the inventory makes of it. */
export const readActions = ['GET', 'HEAD', 'OPTIONS', 'QUERY'] as const;
export const writeActions = ['POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT'] as const;
export type Action = (typeof readActions)[number] | (typeof writeActions)[number];

/** One workload as the inventory describes it: what its longest matching entry says, loosened by nothing. */
export interface Workload {
  readonly id: SpiffeId;
  readonly owner: string;
  readonly kind: Kind;
  /** Takes input from outside; always true of a workload of a trust domain that is not ours. */
  readonly external: boolean;
  /** Acts for others. */
  readonly relay: boolean;
  readonly groups: readonly string[];
  readonly labels: ReadonlyMap<string, string>;
  /** CIDR blocks that the workload calls from; null where the inventory states none. */
  readonly networks: readonly string[] | null;
  /** The entry that matched, as it stands in the file: its id, or the prefix it holds for. */
  readonly entry: string;
}

/** A host of the inventory: what holds for all that it serves. */
export interface Host {
  readonly name: string;
  /** The audience that our tokens must name; null where no token of ours is accepted. */
  readonly audience: string | null;
  /** Whose `Authorization` header this host reads. */
  readonly authorization: 'ours' | 'app';
  /** The destination lies outside the mesh. */
  readonly external: boolean;
  /** The credential headers that travel on after an allow; null: all inside the mesh, none outside. */
  readonly forward: readonly string[] | null;
  /** The external origin (`https://api.example`) that proofs of possession name; null where none is configured. */
  readonly origin: string | null;
}

/** An api with all that it takes from the apis around it. */
export interface Api {
  /** `host/name`. */
  readonly id: string;
  readonly name: string;
  readonly template: Template;
  readonly sensitivity: Sensitivity;
  /** What only reads elsewhere changes something here. */
  readonly writes: boolean;
  /** A POST to its own path only reads. */
  readonly readsByPost: boolean;
  readonly methods: ReadonlySet<Action> | null;
  readonly scopes: readonly string[] | null;
  readonly owner: string | null;
  readonly labels: ReadonlyMap<string, string>;
  /** The scopes that it asks for, by itself or from what is around it. */
  readonly asks: readonly string[];
  /** What `loosens: true` lowers here. */
  readonly lowered: { readonly sensitivity: boolean; readonly effect: boolean; readonly scopes: boolean };
}

/** What one request is about. */
export interface Resource {
  /** `host` + `path`. */
  readonly id: string;
  readonly host: Host;
  readonly path: string;
  /** `host/name`, outermost first, when a named route matched; several when apis nest. */
  readonly apis: readonly string[];
  /** The template of each of `apis`. */
  readonly templates: readonly Template[];
  /** The parameters of the route templates, the innermost value of a name. */
  readonly params: ReadonlyMap<string, string>;
  readonly owner: string | null;
  readonly sensitivity: Sensitivity;
  readonly external: boolean;
  /** Of which a token that carries scopes needs one; a text that is no scope where none will do. */
  readonly scopes: readonly string[];
  readonly labels: ReadonlyMap<string, string>;
}

/** The resource together with what would be done to it. */
export interface Target {
  readonly resource: Resource;
  readonly action: Action;
  readonly effect: 'read' | 'write';
}
