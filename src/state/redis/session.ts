import { type Clock, pause } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { within } from '../../base/within.ts';
import { MAX_APPROVAL_BYTES } from '../approvals/book.ts';
import { stateLoad } from '../bounded/load.ts';
import { touchedLoad } from '../bounded/touched.ts';
import type { History } from '../model.ts';
import { MAX_ORDERED_BYTES } from '../revocation-book.ts';
import { judgeServer, readInfo, type ServerFacts } from './inspect.ts';
import { Link, type Reply } from './link.ts';
import { type Endpoint, MAX_SKEW_MS, type StoreOptions, textOf } from './options.ts';
import { findPrimary } from './primary.ts';
import { adopt, beginningOf, look } from './queries.ts';
import type { StoreEvent, StoreStatus } from './status.ts';

/** How often it is looked whether the server answers, and whether its history goes on. */
const LOOK_MS = 500;
/** A server that answers nothing for so long is left, since the connection may be dead without a word. */
const DEAD_MS = 2000;
/** How often the server's settings are looked at, and the Sentinels are asked for the primary. */
const INSPECT_MS = 30_000;
const ASK_SENTINELS_MS = 5000;
/** Between two attempts to reach a server, at least and at most. */
const RETRY_MS = [50, 1000] as const;

const CLOCKS = `its clock and the one here differ by more than ${MAX_SKEW_MS} ms; set both clocks`;

/** A link to a server that may be used, and the history in which it may be. */
export interface Session {
  readonly link: Link;
  readonly history: History;
}

interface KeeperParts {
  readonly options: StoreOptions;
  readonly clock: Clock;
  readonly onEvent: (event: StoreEvent) => void;
  /** Of the history first, then of the counts of used proofs, of what is counted, and of accounts. */
  readonly keys: readonly string[];
  /** Tries whether claims can be made in a session; a Fault when they cannot. */
  readonly probe: (session: Session) => Promise<Fault | null>;
}

/**
 * Keeps one link to the primary: finds it, looks at its settings, learns its history, looks again and again, and begins anew
 * when anything is wrong. There is a session only while all of it is right.
 */
export class SessionKeeper {
  readonly #parts: KeeperParts;
  readonly #first = Promise.withResolvers<void>();
  #stopping = false;
  #running: Promise<void> = Promise.resolve();
  #session: Session | null = null;
  #primary: Endpoint | null = null;
  #wake = Promise.withResolvers<void>();
  /** The history in which a clock was wrong: keys may have ended too early. */
  #inDoubt = '';
  #changes = -1;
  #lastHistory: History | null = null;
  #status: StoreStatus = {
    server: null,
    facts: null,
    history: null,
    answeredAtMs: null,
    skewMs: null,
    entries: null,
    counts: null,
    accounts: null,
    waiting: 0,
    changes: 0,
    connects: 0,
    fault: 'not reached yet',
    warnings: [],
  };

  constructor(parts: KeeperParts) {
    this.#parts = parts;
  }

  get session(): Session | null {
    return this.#session;
  }

  /** Where the primary was found last, whether or not it can be used. */
  get primary(): Endpoint | null {
    return this.#primary;
  }

  get lastHistory(): History | null {
    return this.#lastHistory;
  }

  status(): StoreStatus {
    return { ...this.#status, waiting: this.#session?.link.waiting ?? 0 };
  }

  /** Begins; resolves after the first attempt, good or bad, or when that takes long. */
  start(): Promise<void> {
    this.#running = this.#run();
    return within(this.#first.promise, DEAD_MS, () => {});
  }

  /** Somebody saw what only a look can tell. */
  lookSoon(): void {
    this.#wake.resolve();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#session?.link.close();
    this.lookSoon();
    // An attempt to connect may be under way, and ends by itself.
    await within(this.#running, DEAD_MS, () => {});
  }

  async #run(): Promise<void> {
    let pauseMs: number = RETRY_MS[0];
    while (!this.#stopping) {
      const opened = await this.#open();
      if (opened instanceof Fault) {
        this.#unusable(opened.detail);
        this.#first.resolve();
        await this.#rest(pauseMs * (0.5 + Math.random() / 2));
        pauseMs = Math.min(2 * pauseMs, RETRY_MS[1]);
        continue;
      }
      pauseMs = RETRY_MS[0];
      this.#first.resolve();
      const why = await this.#follow(opened);
      this.#session = null;
      opened.close(why);
      if (this.#stopping) return;
      this.#status = { ...this.#status, fault: why };
      this.#parts.onEvent({ kind: 'lost', server: textOf(opened.endpoint), detail: why });
      await this.#rest(pauseMs);
    }
  }

  /** A link to the primary, which may be used, and a session with it; or why there is none. */
  async #open(): Promise<Link | Fault> {
    const { options, onEvent } = this.#parts;
    const endpoint = await findPrimary(options, DEAD_MS);
    if (endpoint instanceof Fault) return endpoint;
    this.#primary = endpoint;
    const link = await Link.open({ ...options, endpoint, timeoutMs: DEAD_MS }, () => this.lookSoon());
    if (link instanceof Fault) return link;
    const fault = (await this.#begin(link)) ?? (this.#stopping ? 'stopping' : null);
    const server = textOf(endpoint);
    if (fault !== null || this.#session === null) {
      this.#session = null;
      link.close();
      return new Fault(`${server}: ${fault}`);
    }
    this.#status = { ...this.#status, server, fault: null, connects: this.#status.connects + 1 };
    const { version } = this.#status.facts!;
    onEvent({ kind: 'connected', server, version, sinceMs: this.#session.history.sinceMs });
    return link;
  }

  /** Begins a session where the server may be used and does what a claim needs; else why not. */
  async #begin(link: Link): Promise<string | null> {
    const facts = await this.#inspect(link);
    if (facts instanceof Fault) return facts.detail;
    const history = await this.#adopt(link, 'the first that was seen of this server');
    if (history instanceof Fault) return history.detail;
    const refused = await this.#parts.probe({ link, history });
    if (refused !== null) return refused.detail;
    this.#session = { link, history };
    return this.#look(link);
  }

  /** Looks again and again; gives why the link can be used no more. */
  async #follow(link: Link): Promise<string> {
    const { clock, options } = this.#parts;
    let [inspectedAt, askedAt] = [clock.now(), clock.now()];
    for (;;) {
      await this.#pause(LOOK_MS);
      if (this.#stopping) return 'stopping';
      const fault = await this.#look(link);
      if (fault !== null) return fault;
      const now = clock.now();
      if (Math.abs(now - inspectedAt) >= INSPECT_MS) {
        inspectedAt = now;
        const facts = await this.#inspect(link);
        if (facts instanceof Fault) return facts.detail;
      }
      if (options.sentinels !== null && Math.abs(now - askedAt) >= ASK_SENTINELS_MS) {
        askedAt = now;
        void findPrimary(options, DEAD_MS).then((primary) => {
          if (primary instanceof Fault || textOf(primary) === textOf(link.endpoint)) return;
          link.close(`the Sentinels name ${textOf(primary)} as the primary`);
        });
      }
    }
  }

  /** Whether the server answers, by which clock, and whether its history goes on; a text where it cannot be used. */
  async #look(link: Link): Promise<string | null> {
    const { clock, keys } = this.#parts;
    const sentAt = clock.now();
    const looked = await look(link, keys, DEAD_MS);
    if (looked instanceof Fault) return looked.detail;
    const { known, id, serverMs, entries, counts, accounts } = looked;
    this.#answered(sentAt, serverMs, { entries, counts, accounts });
    if (this.#outOfStep(sentAt, serverMs)) {
      this.#session = null;
      this.#inDoubt = known;
      return CLOCKS;
    }
    const ours = known.startsWith(`${id} `);
    if (ours && this.#session?.history.id === known) return null;
    const history = await this.#adopt(link, ours ? 'another sidecar began it' : 'the data is not that of before');
    if (history instanceof Fault) return history.detail;
    this.#session = { link, history };
    return null;
  }

  /** Learns the history of the data, or begins one. */
  async #adopt(link: Link, why: string): Promise<History | Fault> {
    const { clock, keys, onEvent } = this.#parts;
    const nowMs = clock.now();
    const latest = this.#lastHistory?.id ?? '';
    const adopted = await adopt(link, keys[0]!, { nowMs, latest, inDoubt: this.#inDoubt }, DEAD_MS);
    if (adopted instanceof Fault) return adopted;
    const { result, known: id, serverMs } = adopted;
    this.#answered(nowMs, serverMs, {});
    const outOfStep = this.#outOfStep(nowMs, serverMs);
    if (outOfStep) this.#inDoubt = id;
    if (outOfStep || result === 'skew') return new Fault(CLOCKS);
    this.#inDoubt = '';
    // What was accepted before by a clock that ran ahead lies no more than the skew beyond.
    const history: History = { id, sinceMs: beginningOf(id) + MAX_SKEW_MS };
    if (this.#lastHistory?.id !== id) {
      this.#changes++;
      if (this.#lastHistory !== null) onEvent({ kind: 'history', sinceMs: history.sinceMs, detail: why });
    }
    this.#lastHistory = history;
    this.#status = { ...this.#status, history, changes: this.#changes };
    return history;
  }

  /** What the server says of itself; a Fault when it cannot be used. */
  async #inspect(link: Link): Promise<ServerFacts | Fault> {
    const { options, onEvent } = this.#parts;
    const reply: Reply | Fault = await link.call(['INFO'], DEAD_MS);
    if (reply instanceof Fault) return reply;
    const facts = readInfo(String(reply));
    if (facts instanceof Fault) return facts;
    const { errors, warnings } = judgeServer(
      facts,
      stateLoad(0, options.maxEntries + options.maxCounts).byteLimit +
        touchedLoad(0, options.maxAccounts).byteLimit +
        options.activityBytes +
        options.taskBytes +
        MAX_ORDERED_BYTES +
        MAX_APPROVAL_BYTES,
      options.replicas,
    );
    for (const detail of warnings) if (!this.#status.warnings.includes(detail)) onEvent({ kind: 'warning', detail });
    this.#status = { ...this.#status, facts, warnings };
    return errors.length === 0 ? facts : new Fault(errors.join('; '));
  }

  #answered(sentAt: number, serverMs: number, more: Partial<StoreStatus>): void {
    const now = this.#parts.clock.now();
    this.#status = { ...this.#status, ...more, answeredAtMs: now, skewMs: serverMs - (sentAt + now) / 2 };
  }

  /** Whether the server's clock lies outside of what sending and answering leave open. */
  #outOfStep(sentAt: number, serverMs: number): boolean {
    return serverMs < sentAt - MAX_SKEW_MS || serverMs > this.#parts.clock.now() + MAX_SKEW_MS;
  }

  #unusable(detail: string): void {
    if (this.#status.fault !== detail) this.#parts.onEvent({ kind: 'unreachable', detail });
    this.#status = { ...this.#status, fault: detail };
  }

  /** Waits before another attempt: what was wrong with the one before is no reason to hurry. */
  async #rest(milliseconds: number): Promise<void> {
    this.#wake = Promise.withResolvers();
    if (!this.#stopping) await this.#pause(milliseconds);
  }

  /** Waits, or until somebody asks for a look, or for the end. */
  async #pause(milliseconds: number): Promise<void> {
    await pause(this.#parts.clock, milliseconds, this.#wake.promise);
    this.#wake = Promise.withResolvers();
  }
}
