import { setTimeout as pause } from 'node:timers/promises';
import type { ClaimResult } from '../../../src/state/model.ts';
import type { RedisState } from '../../../src/state/redis/store.ts';
import { madeWithin } from '../../../src/task/proof.ts';

const SECOND = 1000;
/** What a sidecar has by default, with the leeway. */
const WINDOW_MS = 65 * SECOND;
/** Proofs that are tried again and again. */
const KEPT = 2000;

/** A proof as the store sees it: when it was made, and in which history its nonce was issued. */
interface Proof {
  readonly key: string;
  readonly iat: number;
  readonly nonceOf: string | null;
  allows: number;
}

/** What became of a use; `nonce`: a sidecar asks for one before it claims anything. */
type Outcome = ClaimResult['result'] | 'nonce' | 'expired';

/**
 * Clients of a fleet that use proofs on any of its sidecars, and thieves that use them again. A client takes the nonce that it
 * is told, as RFC 9449 has it. Counts every proof that was allowed twice.
 */
export class StateLoad {
  readonly #states: readonly RedisState[];
  readonly #proofs: Proof[] = [];
  readonly #name: string;
  #made = 0;
  #uses = 0;
  #running = true;
  #workers: Promise<unknown> = Promise.resolve();
  readonly counts = new Map<Outcome, number>();
  readonly faults: string[] = [];
  slowestMs = 0;

  constructor(name: string, states: readonly RedisState[]) {
    this.#name = name;
    this.#states = states;
  }

  get uses(): number {
    return this.#uses;
  }

  get second(): number {
    return this.#proofs.filter(({ allows }) => allows > 1).length;
  }

  /** Begins: `workers` clients, each with a pause between two uses. */
  start(workers: number, pauseMs: number): void {
    const worker = async (): Promise<void> => {
      while (this.#running) {
        await this.#client();
        await this.#thief();
        if (pauseMs > 0) await pause(pauseMs);
        else await new Promise(setImmediate);
      }
    };
    this.#workers = Promise.all(Array.from({ length: workers }, worker));
  }

  /** Ends, after every proof was tried once more on every sidecar. */
  async stop(): Promise<void> {
    this.#running = false;
    await this.#workers;
    for (const state of this.#states)
      for (let at = 0; at < this.#proofs.length; at += 200)
        await Promise.all(this.#proofs.slice(at, at + 200).map((proof) => this.#use(state, proof)));
  }

  /** Whether a client that does what it is told is served now, on each of the sidecars. */
  async served(): Promise<boolean> {
    for (const state of this.#states) {
      const first = await this.#use(state, this.#make(null));
      const outcome = first === 'nonce' ? await this.#use(state, this.#make(state.history().id)) : first;
      if (outcome !== 'fresh') return false;
    }
    return true;
  }

  async #client(): Promise<void> {
    const state = this.#any();
    const proof = this.#make(Math.random() < 0.5 ? null : state.history().id);
    if ((await this.#use(state, proof)) === 'nonce') await this.#use(state, this.#make(state.history().id));
  }

  async #thief(): Promise<void> {
    const stolen = this.#proofs[Math.floor(Math.random() * this.#proofs.length)];
    if (stolen !== undefined) await this.#use(this.#any(), stolen);
  }

  #any(): RedisState {
    return this.#states[Math.floor(Math.random() * this.#states.length)]!;
  }

  #make(nonceOf: string | null): Proof {
    const proof = { key: `${this.#name}-${this.#made++}`, iat: Math.floor(Date.now() / SECOND), nonceOf, allows: 0 };
    if (this.#proofs.length < KEPT) this.#proofs.push(proof);
    else this.#proofs[this.#made % KEPT] = proof;
    return proof;
  }

  /** One use, as the check makes it: what can be told without the store is told without it. */
  async #use(state: RedisState, proof: Proof): Promise<Outcome> {
    const began = performance.now();
    const outcome = await this.#decide(state, proof);
    this.slowestMs = Math.max(this.slowestMs, performance.now() - began);
    this.counts.set(outcome, (this.counts.get(outcome) ?? 0) + 1);
    if (outcome === 'fresh' && ++proof.allows > 1)
      this.faults.push(`${this.#name}: ${proof.key} was allowed ${proof.allows} times`);
    return outcome;
  }

  async #decide(state: RedisState, { key, iat, nonceOf }: Proof): Promise<Outcome> {
    const history = state.history();
    const until = iat * SECOND + WINDOW_MS;
    if (Date.now() > until) return 'expired';
    if (nonceOf === null ? !madeWithin(history, iat) : nonceOf !== history.id) return 'nonce';
    const use = {
      requestId: `${this.#uses++}`,
      caller: `spiffe://prod.example/${this.#uses % 50}`,
      checkPeer: null,
      digest: '',
      deadline: Date.now() + SECOND,
      judgedBy: '',
    };
    return (await state.claim([{ key, until, history }], use)).result;
  }
}
