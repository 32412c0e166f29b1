import { Refusal } from '../../base/outcome.ts';
import type { Credential } from '../../identity/caller.ts';
import type { Target, Workload } from '../../inventory/model.ts';
import type { Chain, Declared, Task } from '../../task/model.ts';
import { type FactValues, unknownFacts } from './facts.ts';
import { NOTHING_TOUCHED, type TouchedFacts } from './touched.ts';

export type Role = 'originator' | 'intermediary' | 'caller';

/**
 * One question to Cedar: may this hop of the chain do this, now? Everything that cedar/schema.cedarschema knows about a
 * request, in our own types. An optional fact that is unknown is null and left out of the context.
 */
export interface Question extends FactValues {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly hop: Workload;
  readonly role: Role;
  /** How this hop is known: the caller's own credential, or `delegated` for every other hop. */
  readonly credential: Credential | 'delegated';
  readonly target: Target;
  readonly chain: Chain;
  readonly task: Task | null;
  readonly declared: Declared | null;
  /** Address of the TCP peer; null when that is a trusted proxy or no IP address. */
  readonly client: string | null;
  readonly query: string | null;
  /** Only headers that the config lets through. */
  readonly headers: ReadonlyMap<string, string>;
  /** Those that the config declares as numbers. */
  readonly numbers: ReadonlyMap<string, number>;
  /** What was opened before; null: it was not read, and whoever needs it has to ask again with it. */
  readonly touched: TouchedFacts | null;
}

/** A question of a caller by its X.509-SVID that opened nothing before, of which no optional fact is known; `now` is 0. */
export function bareQuestion(hop: Workload, target: Target): Question {
  return {
    now: 0,
    hop,
    role: 'caller',
    credential: 'x509-svid',
    target,
    chain: [hop],
    task: null,
    declared: null,
    client: null,
    query: null,
    headers: new Map(),
    numbers: new Map(),
    touched: NOTHING_TOUCHED,
    ...unknownFacts,
  };
}

/** A policy that could not be evaluated. */
export interface PolicyFault {
  readonly policy: string;
  readonly message: string;
}

/** A shadowed policy that applies to one hop, or fails to evaluate there. */
export interface ShadowMatch {
  readonly policy: string;
  readonly effect: 'permit' | 'forbid' | 'error';
}

/** Cedar's answer for one hop. `result` is `allow` only when Cedar allowed without any error. Ids are sorted. */
export interface HopVerdict {
  readonly result: 'allow' | 'deny' | 'error';
  readonly permits: readonly string[];
  readonly forbids: readonly string[];
  readonly errors: readonly PolicyFault[];
  readonly shadow: readonly ShadowMatch[];
  /** Approvals that determining forbids ask for (`@approval`), when every determining forbid carries one. */
  readonly approvals: readonly string[];
  /** Why Cedar could not be asked, when `result` is `error` and no policy is to blame. */
  readonly failure: Refusal | null;
}

/** The verdict about a question that was asked without what was opened before, where that decides: read it, and ask again. */
export const TOUCHED_DECIDES = unjudged(new Refusal('internal', 'what was opened before was not read'));

/** The verdict where Cedar could not be asked. */
export function unjudged(failure: Refusal): HopVerdict {
  const none = { permits: [], forbids: [], errors: [], shadow: [], approvals: [] };
  return Object.freeze({ result: 'error', ...none, failure });
}
