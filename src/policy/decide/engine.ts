import { createRequire } from 'node:module';
import { messageOf } from '../../base/fault.ts';
import { Refusal } from '../../base/outcome.ts';
import { type AuthorizationCall, unrepresentable } from './call.ts';
import type { PolicyFault } from './question.ts';

/** The functions of one Wasm instance. Every instance has its own memory, stack and cache. */
export type Cedar = typeof import('@cedar-policy/cedar-wasm/nodejs');

/** One complaint of Cedar, with its places as byte offsets into the text that it was given. */
export type CedarFault = Extract<ReturnType<Cedar['checkParsePolicySet']>, { type: 'failure' }>['errors'][number];

/** A policy as data. */
export type PolicyJson = Extract<ReturnType<Cedar['policyToJson']>, { type: 'success' }>['json'];

/** A schema as data. */
export type SchemaJson = Extract<ReturnType<Cedar['schemaToJson']>, { type: 'success' }>['json'];

/** Policies by their id, and the schema that directs how a call is read; null to read calls as they are. */
export interface Program {
  readonly schema: string | null;
  readonly policies: Readonly<Record<string, string | PolicyJson>>;
}

/** What Cedar said, or why it could not be asked. Ids are sorted, since Cedar's order changes from call to call. */
export type EngineAnswer =
  | {
      readonly kind: 'answered';
      readonly decision: 'allow' | 'deny';
      readonly reasons: readonly string[];
      readonly errors: readonly PolicyFault[];
    }
  | { readonly kind: 'invalid'; readonly message: string }
  | { readonly kind: 'unavailable'; readonly message: string };

/** The refusal where Cedar could not be asked: `policy_input_invalid` for what it cannot read, else `internal`. */
export const engineRefusal = ({ kind, message }: Exclude<EngineAnswer, { kind: 'answered' }>): Refusal =>
  new Refusal(kind === 'invalid' ? 'policy_input_invalid' : 'internal', message);

export interface EngineOptions {
  /** Thrown calls that one instance survives; each leaks about 0.7 KB of its 1 MB stack. */
  readonly throwBudget?: number;
  /** Called when an instance was given up, and with the milliseconds until the next one was ready. */
  readonly onLost?: (why: string) => void;
  readonly onReplaced?: (milliseconds: number) => void;
}

/**
 * Names under which an instance keeps parsed programs and schemas. Fixed, because cedar-wasm has no way to forget a name:
 * each fresh one would leak its whole parsed set. The program that was asked least recently gives up its name.
 */
const PROGRAM_NAMES = 512;
const SCHEMA_NAMES = 4;
/** Policies that all parsed programs hold together, about 1.5 KB each; one program may be larger by itself. */
const PARSED_POLICIES = 5000;
const NO_POLICIES = { staticPolicies: {} };
const THROW_BUDGET = 50;
const MAX_BACKOFF_MS = 1000;
/** Answers after which an instance counts as sound, and the next loss is replaced without delay again. */
const SOUND_AFTER = 100;

/**
 * Cedar, as this product uses it: programs that are parsed once into one replaceable Wasm instance, as they are asked.
 * `ask` never throws. A trap or an overflowed stack leaves an instance answering nothing but errors for good, and each
 * thrown call leaks a part of its stack: so the instance is replaced at once after a trap, and after a small budget of
 * other throws. Until the new one is ready (tens of milliseconds) what is asked of it is answered `unavailable`.
 */
export class Engine {
  readonly #options: EngineOptions;
  readonly #programs = new Names<Program>('program', PROGRAM_NAMES, PARSED_POLICIES);
  readonly #schemas = new Names<string>('schema', SCHEMA_NAMES, SCHEMA_NAMES);
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

  /** Parses a program before it is asked: null, or why that could not be done. What was parsed before stays. */
  prepare(program: Program): string | null {
    if (this.#cedar === null) this.#rebuild();
    const fault = this.#guarded((cedar) => this.#parse(cedar, program));
    return fault === null || typeof fault === 'string' ? fault : fault.message;
  }

  /** Instances that were replaced since the start. */
  get rebuilds(): number {
    return this.#rebuilds;
  }

  get ready(): boolean {
    return this.#cedar !== null;
  }

  /** One decision. `invalid` when the call cannot be represented or does not fit the schema. */
  ask(program: Program, call: AuthorizationCall): EngineAnswer {
    const fault = unrepresentable(call);
    if (fault !== null) return { kind: 'invalid', message: fault };
    return this.#guarded((cedar) => {
      const unparsed = this.#parse(cedar, program);
      if (unparsed !== null) return { kind: 'unavailable', message: unparsed };
      return answerOf(this.#question(cedar, program, call));
    });
  }

  /** Stops a replacement that is under way. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Parses a program under a name of its own, unless this instance knows it. */
  #parse(cedar: Cedar, program: Program): string | null {
    const { schema, policies } = program;
    if (schema !== null) {
      const parse = (name: string) => failure(cedar.preparseSchema(name, schema));
      const fault = this.#schemas.hold(schema, 1, parse);
      if (fault !== null) return fault;
    }
    if (this.#programs.touch(program)) return null;
    const empty = (name: string) => cedar.preparsePolicySet(name, NO_POLICIES);
    return this.#programs.hold(
      program,
      Object.keys(policies).length,
      (name) => failure(cedar.preparsePolicySet(name, { staticPolicies: { ...policies } })),
      empty,
    );
  }

  #question(cedar: Cedar, program: Program, call: AuthorizationCall): ReturnType<Cedar['statefulIsAuthorized']> {
    return cedar.statefulIsAuthorized({
      principal: call.principal,
      action: call.action,
      resource: call.resource,
      context: call.context as never,
      entities: call.entities as never,
      preparsedPolicySetId: this.#programs.nameOf(program),
      ...(program.schema === null ? {} : { preparsedSchemaName: this.#schemas.nameOf(program.schema) }),
    });
  }

  #guarded<T>(use: (cedar: Cedar) => T): T | Extract<EngineAnswer, { kind: 'unavailable' }> {
    const cedar = this.#cedar;
    if (cedar === null) return { kind: 'unavailable', message: 'the engine is being replaced' };
    try {
      const result = use(cedar);
      if (++this.#answers === SOUND_AFTER) this.#losses = 0;
      return result;
    } catch (error) {
      const message = messageOf(error);
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
    this.#programs.clear();
    this.#schemas.clear();
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

/** A fixed number of names, each held by what used it last; what they hold together has a weight that is bounded too. */
class Names<T> {
  readonly #free: string[];
  readonly #limit: number;
  /** In the order of use. */
  readonly #held = new Map<T, { readonly name: string; readonly weight: number }>();
  #weight = 0;

  constructor(prefix: string, size: number, limit: number) {
    this.#free = Array.from({ length: size }, (_, index) => `${prefix}${index}`);
    this.#limit = limit;
  }

  /** Whether `value` has a name; it is then the one that was used last. */
  touch(value: T): boolean {
    const known = this.#held.get(value);
    if (known === undefined) return false;
    this.#held.delete(value);
    this.#held.set(value, known);
    return true;
  }

  /**
   * Gives `value` a name, by `take` where it had none; what `take` says is wrong leaves the name free. The names of those
   * that have to go for its weight are emptied.
   */
  hold(value: T, weight: number, take: (name: string) => string | null, empty?: (name: string) => void): string | null {
    if (this.touch(value)) return null;
    while (this.#held.size > 0 && (this.#free.length === 0 || this.#weight + weight > this.#limit)) {
      const name = this.#dropOldest();
      empty?.(name);
    }
    const name = this.#free.pop()!;
    let fault: string | null = 'thrown';
    try {
      fault = take(name);
      return fault;
    } finally {
      if (fault === null) {
        this.#held.set(value, { name, weight });
        this.#weight += weight;
      } else this.#free.push(name);
    }
  }

  nameOf(value: T): string {
    return this.#held.get(value)?.name ?? '';
  }

  /** No name holds anything. */
  clear(): void {
    for (const { name } of this.#held.values()) this.#free.push(name);
    this.#held.clear();
    this.#weight = 0;
  }

  #dropOldest(): string {
    const [value, { name, weight }] = this.#held.entries().next().value!;
    this.#held.delete(value);
    this.#weight -= weight;
    this.#free.push(name);
    return name;
  }
}

function failure(parsed: ReturnType<Cedar['preparseSchema']>): string | null {
  return parsed.type === 'failure' ? parsed.errors.map((fault) => fault.message).join('; ') : null;
}

function answerOf(answer: ReturnType<Cedar['statefulIsAuthorized']>): EngineAnswer {
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
