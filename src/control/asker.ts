import type { Caller } from '../identity/caller.ts';
import { type Person, personText } from '../identity/person.ts';
import type { ControlPrincipal } from '../policy/control/question.ts';

/** Who asks, proven: a workload or a person, and never both. */
export interface Asker {
  readonly caller: Caller | null;
  readonly person: Person | null;
  /** The one text for it, in records and comparisons: a SPIFFE ID, or `personText`. */
  readonly by: string;
  /** The same in the words of control policies. */
  readonly principal: ControlPrincipal;
}

export const workloadAsks = (caller: Caller): Asker => {
  const { id } = caller.workload;
  const proof = caller.possession ? 'svid' : 'bearer';
  return { caller, person: null, by: id.text, principal: { kind: 'workload', id, proof } };
};

export const personAsks = (person: Person): Asker => ({
  caller: null,
  person,
  by: personText(person),
  principal: { kind: 'person', person, proof: 'session' },
});

/** How old a sign-in may be for what needs a fresh one, in milliseconds. */
export const FRESH_MS = 900_000;
