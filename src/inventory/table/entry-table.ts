import {
  firstBelow,
  type PackedTexts,
  positionAfter,
  positionOf,
  type SortedTexts,
  startAt,
  TextsBuilder,
  textAt,
} from './sorted-texts.ts';

/**
 * The workload entries of one file as they are stated there, in memory that threads share. `numbers` of ids and unders are
 * positions in `profiles`, `places` are where the entry stands in its file.
 */
export interface EntryTableData {
  readonly ids: SortedTexts;
  readonly unders: SortedTexts;
  /** What names a workload (issuer and subject, or a legacy credential), and behind it the id; `numbers` are positions in the entry's list. */
  readonly credentials: SortedTexts;
  /** What entries say beside their ids, as JSON, each once. */
  readonly profiles: PackedTexts;
  readonly names: EntryNames;
}

/** Names that entries state. */
export interface EntryNames {
  readonly groups: readonly string[];
  readonly labels: readonly string[];
  readonly issuers: readonly string[];
  readonly trustDomains: readonly string[];
}

export type EntryScope = 'id' | 'under';

/** One entry of a table. */
export interface TableEntry {
  readonly scope: EntryScope;
  readonly text: string;
  readonly profile: number;
  readonly place: number;
}

/** What a legacy account is found by: the digest of a key or of a certificate, or an authority and a DNS name. */
export type LegacyKind = 'key' | 'certificate' | 'name';

/** One issuer and subject, or one legacy credential, that an entry names. */
export interface TableCredential {
  /** Equal for the same credential. */
  readonly key: string;
  readonly id: string;
  /** In the list of its entry. */
  readonly position: number;
  readonly place: number;
}

const NOTHING: readonly string[] = [];

/** Collects the entries of one file. */
export class EntryTableBuilder {
  readonly #ids = new TextsBuilder();
  readonly #unders = new TextsBuilder();
  readonly #credentials = new TextsBuilder();
  readonly #profiles = new TextsBuilder();
  readonly #profileNumbers = new Map<string, number>();
  readonly #groups = new Set<string>();
  readonly #labels = new Set<string>();
  readonly #issuers = new Set<string>();
  readonly #trustDomains = new Set<string>();

  get size(): number {
    return this.#ids.size + this.#unders.size;
  }

  /** Different names so far. */
  get names(): number {
    return this.#groups.size + this.#labels.size + this.#issuers.size + this.#trustDomains.size;
  }

  add(scope: EntryScope, text: string, profile: string, place: number): void {
    let number = this.#profileNumbers.get(profile);
    if (number === undefined) {
      number = this.#profiles.size;
      this.#profileNumbers.set(profile, number);
      this.#profiles.add(profile);
    }
    (scope === 'id' ? this.#ids : this.#unders).add(text, number, place);
  }

  name(trustDomain: string, groups: readonly string[] = NOTHING, labels: readonly string[] = NOTHING): void {
    this.#trustDomains.add(trustDomain);
    for (const group of groups) this.#groups.add(group);
    for (const label of labels) this.#labels.add(label);
  }

  credential(issuer: string, subject: string, id: string, position: number, place: number): void {
    this.#issuers.add(issuer);
    this.#credentials.add(credentialKey(issuer, subject) + id, position, place);
  }

  /** A legacy credential of the workload `id`. */
  legacy(kind: LegacyKind, value: string, id: string, position: number, place: number): void {
    this.#credentials.add(legacyKey(kind, value) + id, position, place);
  }

  build(): EntryTableData {
    return {
      ids: this.#ids.sorted(),
      unders: this.#unders.sorted(),
      credentials: this.#credentials.sorted(),
      profiles: this.#profiles.packed(),
      names: {
        groups: [...this.#groups],
        labels: [...this.#labels],
        issuers: [...this.#issuers],
        trustDomains: [...this.#trustDomains],
      },
    };
  }
}

/** Profiles that are kept as objects. */
const KEPT = 4096;

/** Finds the entries of one file. `P` is what a profile is once it was read from its JSON. */
export class EntryTable<P> {
  readonly data: EntryTableData;
  readonly #profiles = new Map<number, P>();

  constructor(data: EntryTableData) {
    this.data = data;
  }

  /** The profile of the entry for exactly this text; undefined where there is none. */
  find(scope: EntryScope, text: string): P | undefined {
    const texts = this.#texts(scope);
    const at = positionOf(texts, text);
    return at === -1 ? undefined : this.profile(texts.numbers[at] ?? 0);
  }

  /** Where in its file the entry stands; undefined where there is none. */
  placeOf(scope: EntryScope, text: string): number | undefined {
    const texts = this.#texts(scope);
    const at = positionOf(texts, text);
    return at === -1 ? undefined : texts.places[at];
  }

  profile(number: number): P {
    const known = this.#profiles.get(number);
    if (known !== undefined) return known;
    const read: P = JSON.parse(textAt(this.data.profiles, number));
    if (this.#profiles.size >= KEPT) this.#profiles.clear();
    this.#profiles.set(number, read);
    return read;
  }

  /** The id of the workload with this issuer and subject; null where none has them. */
  credential(issuer: string, subject: string): string | null {
    return this.#behind(credentialKey(issuer, subject));
  }

  /** The id of the account with this legacy credential; null where none has it. */
  legacy(kind: LegacyKind, value: string): string | null {
    return this.#behind(legacyKey(kind, value));
  }

  /** The ids of the accounts with legacy credentials of the kind, once for each. */
  *legacyAccounts(kind: LegacyKind): Generator<string, void> {
    const texts = this.data.credentials;
    const prefix = legacyPrefix(kind);
    for (let at = firstBelow(texts, prefix); at !== -1 && at < texts.ends.length; at++) {
      const text = textAt(texts, at);
      if (!text.startsWith(prefix)) return;
      yield text.slice(text.indexOf('\u0000') + 1);
    }
  }

  #behind(key: string): string | null {
    const at = firstBelow(this.data.credentials, key);
    return at === -1 ? null : textAt(this.data.credentials, at).slice(key.length);
  }

  /** Whether an entry is this text, or begins with it and a slash. */
  lists(text: string): boolean {
    const { ids, unders } = this.data;
    return [ids, unders].some((texts) => positionOf(texts, text) !== -1 || firstBelow(texts, `${text}/`) !== -1);
  }

  /** The lengths of all `under` entries: no other prefix has to be looked for. */
  underLengths(): ReadonlySet<number> {
    const { ends } = this.data.unders;
    const lengths = new Set<number>();
    for (let at = 0; at < ends.length; at++) lengths.add((ends[at] ?? 0) - startAt(ends, at));
    return lengths;
  }

  /** All entries: `under` first, each kind in the order of its texts. */
  *entries(): Generator<TableEntry, void> {
    for (const scope of ['under', 'id'] as const) yield* this.entriesAfter(scope, null);
  }

  /** Those of one kind behind a text, in the order of their texts; null: all. */
  *entriesAfter(scope: EntryScope, after: string | null): Generator<TableEntry, void> {
    const texts = this.#texts(scope);
    const first = after === null ? 0 : positionAfter(texts, after);
    for (let at = first; at < texts.ends.length; at++) {
      yield { scope, text: textAt(texts, at), profile: texts.numbers[at] ?? 0, place: texts.places[at] ?? 0 };
    }
  }

  /** All credentials, equal ones side by side; with `only`, those of this key. */
  *credentials(only?: string): Generator<TableCredential, void> {
    const texts = this.data.credentials;
    const first = only === undefined ? 0 : firstBelow(texts, only);
    for (let at = first; at !== -1 && at < texts.ends.length; at++) {
      const text = textAt(texts, at);
      const end = text.indexOf('\u0000') + 1;
      const key = text.slice(0, end);
      if (only !== undefined && key !== only) return;
      yield { key, id: text.slice(end), position: texts.numbers[at] ?? 0, place: texts.places[at] ?? 0 };
    }
  }

  #texts(scope: EntryScope): SortedTexts {
    return scope === 'id' ? this.data.ids : this.data.unders;
  }
}

/** Where in its entry a credential with this key is listed. */
export function listOf(key: string): 'credentials' | LegacyKind {
  const [issuer, kind] = JSON.parse(key.slice(0, -1)) as string[];
  return issuer === '' ? (kind as LegacyKind) : 'credentials';
}

/** No issuer is empty, so no key of one begins like this. */
const legacyPrefix = (kind: LegacyKind): string => `["","${kind}",`;
const legacyKey = (kind: LegacyKind, value: string): string => `${legacyPrefix(kind)}${JSON.stringify(value)}]\u0000`;

/** No JSON text holds the character behind it. */
function credentialKey(issuer: string, subject: string): string {
  return `${JSON.stringify([issuer, subject])}\u0000`;
}
