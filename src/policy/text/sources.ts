import { createHash } from 'node:crypto';
import type { EntryTableData } from '../../inventory/table/entry-table.ts';
import { CONTROL_GUARDRAILS, RELEASE_GUARDRAILS } from './guardrails.ts';
import type { SourceFile } from './source-file.ts';

/** A header that policies may read: as text through `context.headers`, or as a number through `context.numbers`. */
export interface DeclaredHeader {
  readonly name: string;
  readonly type: 'string' | 'long';
}

/** A guardrail that is switched off, for a stated reason and time. */
export interface DisabledGuardrail {
  readonly id: string;
  readonly because: string;
  /** Milliseconds since the epoch; from then on the guardrail holds again. */
  readonly untilMs: number;
}

/** The part of the configuration that belongs to a snapshot: a change of it is a new revision. */
export interface PolicySettings {
  readonly headers: readonly DeclaredHeader[];
  /** Those whose time has not passed. */
  readonly disabledGuardrails: readonly DisabledGuardrail[];
  /** The `@id`s of the guardrails that must be there unless they are disabled: those of this release. */
  readonly requiredGuardrails: readonly string[];
  /** Trust domains whose bundles are configured; literals of other domains are misspelt. */
  readonly trustDomains: readonly string[];
  /** Those of them that are ours. */
  readonly ownTrustDomains: readonly string[];
  /** Cedar's warnings (a policy that can never apply) are reported instead of refused. */
  readonly allowWarnings: boolean;
  /** The `iss` of every issuer of tasks, where all are known. Decides nothing: tools compare names with it. */
  readonly taskIssuers?: readonly string[] | null;
}

/** Those of texts that belong to no configuration. */
export const NO_SETTINGS: PolicySettings = {
  headers: [],
  disabledGuardrails: [],
  requiredGuardrails: [],
  trustDomains: [],
  ownTrustDomains: [],
  allowWarnings: false,
};

/** The parts of a configuration that policies are judged with. */
export interface ConfiguredPolicy {
  readonly policy: {
    readonly headers: readonly DeclaredHeader[];
    readonly guardrails: { readonly disable: readonly DisabledGuardrail[] };
    readonly unsafeIgnoreWarnings: boolean;
  };
  readonly task: {
    readonly issuers: readonly ({ readonly kind: 'jwt-svid' } | { readonly kind: string; readonly issuer: string })[];
  };
  readonly identity: { readonly trustDomains: Readonly<Record<string, { readonly local: boolean }>> };
}

/** The settings of a configuration, guardrails included whose time has passed. */
export function policySettings({ policy, identity, task }: ConfiguredPolicy): PolicySettings {
  const domains = Object.entries(identity.trustDomains);
  return {
    headers: policy.headers,
    disabledGuardrails: policy.guardrails.disable,
    requiredGuardrails: [...RELEASE_GUARDRAILS, ...CONTROL_GUARDRAILS],
    trustDomains: domains.map(([name]) => name),
    ownTrustDomains: domains.filter(([, { local }]) => local).map(([name]) => name),
    allowWarnings: policy.unsafeIgnoreWarnings,
    // The issuer of a JWT-SVID is whatever its trust domain writes there.
    taskIssuers: task.issuers.every((issuer) => 'issuer' in issuer) ? task.issuers.map(({ issuer }) => issuer) : null,
  };
}

/** The settings without the disabled guardrails whose time has passed. `now` in milliseconds since the epoch. */
export function settingsAt(settings: PolicySettings, now: number): PolicySettings {
  return { ...settings, disabledGuardrails: settings.disabledGuardrails.filter(({ untilMs }) => now < untilMs) };
}

/** Everything that a snapshot is made of, as text. Files are sorted by name; names are relative to their folder. */
export interface Sources {
  readonly schema: SourceFile;
  readonly guardrails: readonly SourceFile[];
  /** The operators' own `*.cedarschema`. */
  readonly schemas: readonly SourceFile[];
  /** The operators' `*.cedar`, those of `teams/TEAM/` included. */
  readonly policies: readonly SourceFile[];
  /** The operators' `tests/*.yaml`. */
  readonly tests: readonly SourceFile[];
  readonly inventory: SourceFile;
  /** `workloads.jsonl` beside the inventory, where it is there. */
  readonly workloads?: WorkloadsFile | undefined;
  readonly settings: PolicySettings;
  /** Where the folder holds control policies. */
  readonly control?: ControlSources | undefined;
}

/** Control policies decide who may view, revoke and lift; their tests stand among those of the folder. */
export interface ControlSources {
  readonly schema: SourceFile;
  readonly guardrails: readonly SourceFile[];
  /** The operators' `control/*.cedar`. */
  readonly policies: readonly SourceFile[];
}

/** A file that is too large to be held as text: a worker reads it. */
export interface WorkloadsFile {
  readonly file: string;
  /** Absolute. */
  readonly path: string;
  /** Changes with each write of the file. */
  readonly stamp: string;
  /** What was read of it; undefined before. */
  readonly loaded?: { readonly digest: string; readonly table: EntryTableData } | undefined;
}

/** `sha256:` and the hex digest over all that decides: the same sources have the same revision wherever they stand. */
export function revisionOf(sources: Sources): string {
  const { settings, workloads, control } = sources;
  const contents = (files: readonly SourceFile[]) => files.map(({ file, text }) => [file, text]).toSorted(byName);
  const canonical = JSON.stringify([
    sources.schema.text,
    ...[sources.guardrails, sources.schemas, sources.policies, sources.tests].map(contents),
    sources.inventory.text,
    settings.headers.map(({ name, type }) => [name, type]).toSorted(byName),
    settings.disabledGuardrails.map(({ id, because, untilMs }) => [id, because, String(untilMs)]).toSorted(byName),
    settings.trustDomains.toSorted(),
    settings.ownTrustDomains.toSorted(),
    settings.allowWarnings,
    // Before it was read, by when it was written.
    ...(workloads === undefined ? [] : [workloads.loaded?.digest ?? workloads.stamp]),
    ...(control === undefined
      ? []
      : [{ control: [control.schema.text, contents(control.guardrails), contents(control.policies)] }]),
  ]);
  return `sha256:${createHash('sha256').update(canonical).digest('hex')}`;
}

function byName([left = '']: readonly string[], [right = '']: readonly string[]): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
