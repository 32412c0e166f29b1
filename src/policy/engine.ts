import { createRequire } from 'node:module';
import { type CedarCall, unrepresentable } from './call.ts';
import type { PolicyFault } from './question.ts';

/** The functions of one Wasm instance. Every instance has its own memory, stack and cache. */
export type Cedar = typeof import('@cedar-policy/cedar-wasm/nodejs');

/** One complaint of Cedar, with its places as byte offsets into the text that it was given. */
export type CedarFault = Extract<ReturnType<Cedar['checkParsePolicySet']>, { type: 'failure' }>['errors'][number];

/** A policy as data. */
export type PolicyJson = Extract<ReturnType<Cedar['policyToJson']>, { type: 'success' }>['json'];

/** What one slot holds: policies by their id, and the schema that directs how a call is read. */
export interface Program {
  readonly schema: string | null;
  readonly policies: Readonly<Record<string, string | PolicyJson>>;
}

/** What Cedar said, or why it could not be asked. Ids are sorted, since Cedar's order changes from call to call. */
export type Answer =
  | {
      readonly kind: 'answered';
      readonly decision: 'allow' | 'deny';
      readonly reasons: readonly string[];
      readonly errors: readonly PolicyFault[];
    }
  | { readonly kind: 'invalid'; readonly message: string }
  | { readonly kind: 'unavailable'; readonly message: string };

/** A loaded program. It answers until it is freed, and never by another program's policies. */
export interface Slot {
  readonly name: string;
  readonly program: Program;
}

export interface EngineOptions {
  /** Thrown calls that one instance survives; each leaks about 0.7 KB of its 1 MB stack. */
  readonly throwBudget?: number;
  /** Called when an instance was given up, and with the milliseconds until the next one was ready. */
  readonly onLost?: (why: string) => void;
  readonly onReplaced?: (milliseconds: number) => void;
}

/**
 * Fixed, because cedar-wasm has no way to forget a name: each fresh one would leak its whole parsed set. A snapshot takes
 * one, or two when it shadows policies; four snapshots can be alive at once (the current, its successor, and those that
 * checks still hold).
 */
const SLOTS = 8;
const THROW_BUDGET = 50;
const MAX_BACKOFF_MS = 1000;
/** Answers after which an instance counts as sound, and the next loss is replaced without delay again. */
const SOUND_AFTER = 100;

/**
 * Cedar, as this product uses it: preparsed programs in fixed slots of one replaceable Wasm instance. `ask` never throws.
 * A trap or an overflowed stack leaves an instance answering nothing but errors for good, and each thrown call leaks a
 * part of its stack: so the instance is replaced at once after a trap, and after a small budget of other throws. Until
 * the new one is ready (tens of milliseconds) every call is answered `unavailable`.
 */
export class Engine {
  readonly #slots: (Slot | null)[] = Array<Slot | null>(SLOTS).fill(null);
  readonly #options: EngineOptions;
  readonly #prepared = new Set<Slot>();
  #cedar: Cedar | null = newInstance();
  #throws = 0;
  #answers = 0;
  #losses = 0;
  #rebuilds = 0;
  #lostAt = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: EngineOptions = {}) {
    this.#options = options;
  }

  /** Parses a vetted program into a free slot. A string says why it could not; the other slots are untouched then. */
  load(program: Program): Slot | string {
    const index = this.#slots.indexOf(null);
    if (index === -1) return 'no engine slot is free';
    if (this.#cedar === null) this.#rebuild();
    if (this.#cedar === null) return 'the engine is being replaced';
    const slot: Slot = Object.freeze({ name: `slot${index}`, program });
    const fault = this.#guarded((cedar) => this.#prepare(cedar, slot));
    if (fault !== null) return typeof fault === 'string' ? fault : fault.message;
    this.#slots[index] = slot;
    return slot;
  }

  /** Gives the slot back; its snapshot must not be asked again (it would be answered `unavailable`). */
  free(slot: Slot): void {
    const index = this.#slots.indexOf(slot);
    if (index === -1) return;
    this.#slots[index] = null;
    this.#prepared.delete(slot);
  }

  get freeSlots(): number {
    return this.#slots.filter((slot) => slot === null).length;
  }

  /** Instances that were replaced since the start. */
  get rebuilds(): number {
    return this.#rebuilds;
  }

  get ready(): boolean {
    return this.#cedar !== null;
  }

  /** One decision. `invalid` when the call cannot be represented or does not fit the schema. */
  ask(slot: Slot, call: CedarCall): Answer {
    const fault = unrepresentable(call);
    if (fault !== null) return { kind: 'invalid', message: fault };
    if (!this.#slots.includes(slot)) return { kind: 'unavailable', message: 'the snapshot is no longer loaded' };
    return this.#guarded((cedar) => {
      const unprepared = this.#prepare(cedar, slot);
      if (unprepared !== null) return { kind: 'unavailable', message: unprepared };
      return answerOf(askCedar(cedar, slot, call));
    });
  }

  /** Stops a replacement that is under way. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Parses the slot's program, unless this instance knows it: a new one learns what is asked of it, and no more. */
  #prepare(cedar: Cedar, slot: Slot): string | null {
    if (this.#prepared.has(slot)) return null;
    const fault = preparse(cedar, slot);
    if (fault === null) this.#prepared.add(slot);
    return fault;
  }

  #guarded<T>(use: (cedar: Cedar) => T): T | Extract<Answer, { kind: 'unavailable' }> {
    const cedar = this.#cedar;
    if (cedar === null) return { kind: 'unavailable', message: 'the engine is being replaced' };
    try {
      const result = use(cedar);
      if (++this.#answers === SOUND_AFTER) this.#losses = 0;
      return result;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#throws++;
      if (isFatal(error) || this.#throws > (this.#options.throwBudget ?? THROW_BUDGET)) this.#lose(message);
      return { kind: 'unavailable', message: `the engine threw: ${message}` };
    }
  }

  #lose(why: string): void {
    this.#cedar = null;
    this.#lostAt = performance.now();
    this.#options.onLost?.(why);
    this.#schedule();
  }

  /** A loss right after a loss waits longer each time, so that a call that always traps cannot keep the process busy. */
  #schedule(): void {
    const delay = this.#losses === 0 ? 0 : Math.min(MAX_BACKOFF_MS, 10 * 2 ** this.#losses);
    this.#losses++;
    this.#timer = setTimeout(() => this.#rebuild(), delay).unref();
  }

  #rebuild(): void {
    this.close();
    try {
      this.#cedar = newInstance();
    } catch {
      this.#schedule();
      return;
    }
    this.#prepared.clear();
    this.#throws = 0;
    this.#answers = 0;
    this.#rebuilds++;
    this.#options.onReplaced?.(performance.now() - this.#lostAt);
  }
}

/**
 * A fresh instance. The module is evaluated anew through a `require` of its own: a shared one would keep every dead
 * instance alive in its list of children.
 */
export function newInstance(): Cedar {
  const require = createRequire(import.meta.url);
  const path = require.resolve('@cedar-policy/cedar-wasm/nodejs');
  delete require.cache[path];
  const cedar = require(path) as Cedar;
  delete require.cache[path];
  return cedar;
}

/** Traps (RuntimeError) and overflowed stacks (RangeError) leave through no epilogue: the instance is lost. */
function isFatal(error: unknown): boolean {
  return error instanceof Error && (error.name === 'RuntimeError' || error.name === 'RangeError');
}

function preparse(cedar: Cedar, slot: Slot): string | null {
  const { schema, policies } = slot.program;
  if (schema !== null) {
    const parsed = cedar.preparseSchema(slot.name, schema);
    if (parsed.type === 'failure') return parsed.errors.map((e) => e.message).join('; ');
  }
  const parsed = cedar.preparsePolicySet(slot.name, { staticPolicies: { ...policies } });
  return parsed.type === 'failure' ? parsed.errors.map((e) => e.message).join('; ') : null;
}

function askCedar(cedar: Cedar, slot: Slot, call: CedarCall): ReturnType<Cedar['statefulIsAuthorized']> {
  return cedar.statefulIsAuthorized({
    principal: call.principal,
    action: call.action,
    resource: call.resource,
    context: call.context as never,
    entities: call.entities as never,
    preparsedPolicySetId: slot.name,
    ...(slot.program.schema === null ? {} : { preparsedSchemaName: slot.name }),
  });
}

function answerOf(answer: ReturnType<Cedar['statefulIsAuthorized']>): Answer {
  if (answer.type === 'failure') return { kind: 'invalid', message: answer.errors.map((e) => e.message).join('; ') };
  const { decision, diagnostics } = answer.response;
  return {
    kind: 'answered',
    decision,
    reasons: diagnostics.reason.toSorted(),
    errors: diagnostics.errors
      .map((e) => ({ policy: e.policyId, message: e.error.message }))
      .toSorted((a, b) => (a.policy < b.policy ? -1 : 1)),
  };
}
