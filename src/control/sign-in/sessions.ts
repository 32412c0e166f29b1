import { createHash, randomBytes } from 'node:crypto';
import * as z from 'zod';
import { Fault } from '../../base/fault.ts';
import { jsonOf } from '../../base/json.ts';
import { type Person, personText, provenPerson } from '../../identity/person.ts';
import { type SessionStore, TURN_MS } from '../../state/sessions/model.ts';
import { NoAnswer, type SignedIn, SignInFault } from './provider.ts';

const ID_BYTES = 32;
/** An id is 256 bits of chance in base64url. */
const ID = /^[A-Za-z0-9_-]{43}$/;
/** A use is written down once in so long: so a session ends by so much earlier. */
const SEEN_MS = 60_000;
/** A code of a command line is exchanged at once. */
const CODE_MS = 60_000;

const facts = z.strictObject({
  issuer: z.string(),
  subject: z.string(),
  groups: z.array(z.string()),
  acr: z.string().nullable(),
  amr: z.array(z.string()),
  signedInMs: z.int(),
  name: z.string().nullable(),
});
const record = z.strictObject({
  /** A browser's is taken from a cookie alone, that of a command line from a bearer token alone; a code is no session yet. */
  kind: z.enum(['browser', 'cli', 'code']),
  person: facts,
  sid: z.string().nullable(),
  refreshToken: z.string().nullable(),
  beganMs: z.int(),
  seenMs: z.int(),
  /** When the provider last said who the person is. */
  readMs: z.int(),
  /** Of a code: the challenge that its verifier has to meet. */
  challenge: z.string().nullable(),
});
type SessionRecord = z.output<typeof record>;

/** A session that goes on. Times are milliseconds since the epoch. */
export interface LiveSession {
  readonly person: Person;
  /** When it ends in any case, and when it ends if nothing is asked by it until then. */
  readonly endsMs: number;
  readonly idleEndsMs: number;
}

export interface SessionRules {
  readonly store: SessionStore;
  readonly reread: (refreshToken: string, before: SignedIn) => Promise<SignedIn | SignInFault>;
  readonly idleMs: number;
  readonly lifetimeMs: number;
  /** How long it is believed what the provider said of a person. */
  readonly rereadMs: number;
}

export type SessionKind = 'browser' | 'cli';

/** Whose sessions a provider ended: all of a person, or those of one sign-in there (`sid`). It names one of them or both. */
export interface EndedAt {
  readonly issuer: string;
  readonly subject?: string;
  readonly sid?: string;
}

/**
 * The sessions of people who signed in. Nobody but the holder knows an id: the store has its SHA-256. One ends when nothing
 * was asked by it for some time, after its whole time, when its person signs out or is signed out by the provider, and when
 * the provider says no more who the person is. Nothing rejects.
 */
export class Sessions {
  readonly #rules: SessionRules;
  /** Of each key that is being read again, so that it is asked once. */
  readonly #rereading = new Map<string, Promise<SessionRecord | null | SignInFault>>();

  constructor(rules: SessionRules) {
    this.#rules = rules;
  }

  /** How long a new session may last, in seconds. */
  get lifetimeSeconds(): number {
    return Math.floor(this.#rules.lifetimeMs / 1000);
  }

  /** Begins a session, always under a new id, which is given. */
  begin(signedIn: SignedIn, kind: SessionKind, nowMs: number): Promise<string | Fault> {
    return this.#add({ ...started(signedIn, nowMs), kind, challenge: null }, this.#rules.lifetimeMs, nowMs);
  }

  /** A code that is good for one session of a command line, once and within a minute (RFC 6749 section 4.1.2). */
  beginCode(signedIn: SignedIn, challenge: string, nowMs: number): Promise<string | Fault> {
    return this.#add({ ...started(signedIn, nowMs), kind: 'code', challenge }, CODE_MS, nowMs);
  }

  /** The id of the session that a code is good for; null: it is good for none. A wrong verifier uses it up, too. */
  async redeem(code: string, verifier: string, nowMs: number): Promise<string | null | Fault> {
    if (!ID.test(code)) return null;
    const key = keyOf(code);
    const found = await this.#read(key, nowMs);
    if (found === null || found instanceof Fault) return found;
    if (found.kind !== 'code') return null;
    const isFirst = await this.#rules.store.end(key);
    if (isFirst !== true) return isFirst === false ? null : isFirst;
    if (nowMs - found.beganMs > CODE_MS || found.challenge !== sha256(verifier)) return null;
    return this.#add({ ...found, kind: 'cli', challenge: null }, this.#rules.lifetimeMs, nowMs);
  }

  /** The session of an id; null where there is none. `isUse`: it goes on for longer by this. */
  async find(id: string, kind: SessionKind, nowMs: number, isUse: boolean): Promise<LiveSession | null | Fault> {
    if (!ID.test(id)) return null;
    const key = keyOf(id);
    let found = await this.#read(key, nowMs);
    if (found === null || found instanceof Fault) return found;
    if (found.kind !== kind) return null;
    if (this.#isOver(found, nowMs)) {
      await this.#rules.store.end(key);
      return null;
    }
    if (nowMs - found.readMs >= this.#rules.rereadMs) {
      const read = await this.#readAgain(key, found, nowMs);
      if (read === null || read instanceof Fault) return read;
      found = read;
    }
    // Whoever reads it again is writing it, too.
    const isRead = nowMs - found.readMs < this.#rules.rereadMs;
    if (isUse && isRead && nowMs - found.seenMs >= SEEN_MS) {
      found = { ...found, seenMs: nowMs };
      const written = await this.#write(key, found, nowMs);
      // Somebody ended it meanwhile.
      if (written !== true) return written === false ? null : written;
    }
    return this.#session(found);
  }

  /** Ends the session of an id: false where there was none. */
  async end(id: string): Promise<boolean | Fault> {
    return ID.test(id) ? this.#rules.store.end(keyOf(id)) : false;
  }

  /**
   * Ends the sessions of a person at a provider, or of one sign-in there, that began until `untilMs`; gives how many. Those
   * that began later are of another sign-in. With both: also those of the person of which it is not known of which sign-in.
   */
  async endAll({ issuer, subject, sid }: EndedAt, untilMs: number): Promise<number | Fault> {
    const { store } = this.#rules;
    const names = [
      ...(sid === undefined ? [] : [sidName(issuer, sid)]),
      ...(subject === undefined ? [] : [personName({ issuer, subject })]),
    ];
    const found = await Promise.all(names.map((name) => store.keysOf(name)));
    const fault = found.find((keys) => keys instanceof Fault);
    if (fault !== undefined) return fault;
    const keys = new Set((found as readonly (readonly string[])[]).flat());
    let ended = 0;
    for (const key of keys) {
      const found = await this.#read(key, untilMs);
      if (found instanceof Fault) return found;
      if (found === null || found.beganMs > untilMs) continue;
      if (sid !== undefined && (found.sid ?? sid) !== sid) continue;
      const isEnded = await store.end(key);
      if (isEnded instanceof Fault) return isEnded;
      if (isEnded) ended++;
    }
    return ended;
  }

  #session({ person, beganMs, seenMs }: SessionRecord): LiveSession {
    const endsMs = beganMs + this.#rules.lifetimeMs;
    return { person: provenPerson(person), endsMs, idleEndsMs: Math.min(endsMs, seenMs + this.#rules.idleMs) };
  }

  /** A clock that was set back ends it, too: it would go on for longer. */
  #isOver({ beganMs, seenMs }: SessionRecord, nowMs: number): boolean {
    const { idleMs, lifetimeMs } = this.#rules;
    return nowMs - beganMs >= lifetimeMs || nowMs - seenMs >= idleMs || nowMs < beganMs - SEEN_MS;
  }

  #readAgain(key: string, found: SessionRecord, nowMs: number): Promise<SessionRecord | null | SignInFault> {
    const reading =
      this.#rereading.get(key) ?? this.#inTurn(key, found, nowMs).finally(() => this.#rereading.delete(key));
    this.#rereading.set(key, reading);
    return reading;
  }

  /**
   * Has one process ask at a time: providers take a refresh token once, and the second to bring it would end the session.
   * Whoever has no turn goes by what is known, and not for longer than a turn lasts.
   */
  async #inTurn(key: string, before: SessionRecord, nowMs: number): Promise<SessionRecord | null | SignInFault> {
    const { store, rereadMs } = this.#rules;
    const isOurs = await store.takeTurn(key);
    if (isOurs instanceof Fault) return new NoAnswer(isOurs.detail);
    if (!isOurs && nowMs - before.readMs < rereadMs + TURN_MS) return before;
    try {
      const found = await this.#read(key, nowMs);
      if (found instanceof Fault) return new NoAnswer(found.detail);
      if (found === null || nowMs - found.readMs < rereadMs) return found;
      return await this.#reread(key, found, nowMs);
    } finally {
      if (isOurs) await store.endTurn(key);
    }
  }

  /** Null: the session is over: the provider does not say any more who the person is, or it ended while it was asked. */
  async #reread(key: string, found: SessionRecord, nowMs: number): Promise<SessionRecord | null | SignInFault> {
    const { refreshToken } = found;
    const read =
      refreshToken === null
        ? new SignInFault('the provider gave no refresh token')
        : await this.#rules.reread(refreshToken, found);
    if (read instanceof SignInFault) {
      if (read instanceof NoAnswer) return read;
      await this.#rules.store.end(key);
      return null;
    }
    const next = { ...found, person: { ...read.person, groups: [...read.person.groups], amr: [...read.person.amr] } };
    const written = { ...next, refreshToken: read.refreshToken, readMs: nowMs };
    const isWritten = await this.#write(key, written, nowMs);
    if (isWritten instanceof Fault) return new NoAnswer(isWritten.detail);
    return isWritten ? written : null;
  }

  async #add(session: SessionRecord, lifetimeMs: number, nowMs: number): Promise<string | Fault> {
    const id = randomBytes(ID_BYTES).toString('base64url');
    const { person, sid } = session;
    const more = sid === null ? [] : [sidName(person.issuer, sid)];
    const kept = { key: keyOf(id), value: JSON.stringify(session), names: [personName(person), ...more] as const };
    const fault = await this.#rules.store.add({ ...kept, untilMs: nowMs + lifetimeMs }, nowMs);
    return fault ?? id;
  }

  #write(key: string, session: SessionRecord, nowMs: number): Promise<boolean | Fault> {
    return this.#rules.store.update(key, JSON.stringify(session), session.beganMs + this.#rules.lifetimeMs, nowMs);
  }

  async #read(key: string, nowMs: number): Promise<SessionRecord | null | Fault> {
    const text = await this.#rules.store.get(key, nowMs);
    if (text === null || text instanceof Fault) return text;
    // What an older release wrote is none: its person signs in again.
    return record.safeParse(jsonOf(text)).data ?? null;
  }
}

function started({ person, sid, refreshToken }: SignedIn, nowMs: number) {
  const plain = { ...person, groups: [...person.groups], amr: [...person.amr] };
  return { person: plain, sid, refreshToken, beganMs: nowMs, seenMs: nowMs, readMs: nowMs };
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url');
const keyOf = (id: string): string => sha256(`session ${id}`);
const personName = (person: { readonly issuer: string; readonly subject: string }): string =>
  sha256(`person ${personText(person)}`);
const sidName = (issuer: string, sid: string): string => sha256(`sid ${JSON.stringify([issuer, sid])}`);
