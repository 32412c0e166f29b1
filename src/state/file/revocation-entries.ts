import { shapeProblems, withPath } from '../../source/explain.ts';
import { MAX_PROBLEMS, type Problem } from '../../source/problem.ts';
import type { YamlFile } from '../../source/yaml.ts';
import type { Revocation } from '../revocation.ts';
import { revocationSchema } from '../revocation-entry.ts';
import { type RevocationName, revokedName } from '../revocation-names.ts';

/** Different teams, issuers and trust domains of which it is asked whether they exist. */
const MAX_NAMES = 4096;

/** A name that revocations of a file name, and where the first of them does. */
export interface PlacedName extends RevocationName {
  /** The file, its line and column. */
  readonly place: Omit<Problem, 'message'>;
}

/** The place of an entry in a list; of one in a line it is the number of the line. */
export const inList = (index: number): number => -1 - index;

const called = (place: number): string => (place < 0 ? `revocations[${-1 - place}]` : `line ${place}`);

/** Reads the entries of the files of revocations: keeps the good ones, what is wrong with the others, and the names that they name. */
export class RevocationEntries {
  readonly #keep: (revocation: Revocation) => void;
  readonly problems: Problem[] = [];
  /** Where each id stands first. */
  readonly places: Map<string, number>;
  readonly #names = new Map<string, PlacedName>();

  /** `keep` is called with each good entry, in order; `places` are those of entries that were read before. */
  constructor(keep: (revocation: Revocation) => void, places: ReadonlyMap<string, number> = new Map()) {
    this.#keep = keep;
    this.places = new Map(places);
  }

  get names(): readonly PlacedName[] {
    return [...this.#names.values()];
  }

  /** `file` is asked where something is wrong with the entry. */
  add(entry: unknown, place: number, file: () => YamlFile): void {
    const parsed = revocationSchema.safeParse(entry);
    if (!parsed.success) {
      const explained = revocationSchema.safeParse(entry, { reportInput: true });
      if (explained.error) this.#complain(() => shapeProblems(explained.error, file()));
      return;
    }
    // What stands twice is applied twice: a faulty file never refuses less than it says.
    this.#keep(parsed.data);
    const { id } = parsed.data;
    const first = this.places.get(id);
    const repeated = () => withPath(['id'], `is the id of ${called(first ?? 0)} too; write another one`);
    if (first === undefined) this.places.set(id, place);
    else this.#complain(() => [file().problem(['id'], repeated())]);
    this.#note(revokedName(parsed.data), file);
  }

  #complain(problems: () => readonly Problem[]): void {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push(...problems());
  }

  #note(name: RevocationName | null, file: () => YamlFile): void {
    if (name === null) return;
    const key = `${name.kind} ${name.name}`;
    if (this.#names.has(key) || this.#names.size === MAX_NAMES) return;
    const { message: _, ...place } = file().problem(name.path, '');
    this.#names.set(key, { ...name, place });
  }
}
