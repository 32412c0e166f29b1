/** The kinds of change of Keep a Changelog, in its order. */
const KINDS = ['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security'];
const UNRELEASED = 'Unreleased';
/** A change that asks something of an operator or an author before the upgrade. */
const BREAKING = /^- \*\*Breaking:\*\*/m;

/** What the changelog says of one version. */
export interface ChangelogSection {
  /** null: what is not released yet. */
  readonly version: string | null;
  readonly date: string | null;
  /** All of it below the heading. */
  readonly text: string;
  readonly breaking: boolean;
}

/** The sections of a changelog, the newest first; or what of it is not in the form of Keep a Changelog 1.1. */
export function readChangelog(text: string): readonly ChangelogSection[] | { readonly fault: string } {
  const [head = '', ...parts] = text.split(/^## /m);
  if (!head.startsWith('# Changelog\n')) return { fault: 'CHANGELOG.md begins with # Changelog' };
  const sections: ChangelogSection[] = [];
  for (const part of parts) {
    const [heading = '', ...lines] = part.split('\n');
    const found = /^(\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)$/.exec(heading);
    if (heading !== UNRELEASED && found === null)
      return { fault: `## ${heading}: write ## ${UNRELEASED}, or ## 1.2.3 - 2027-01-31` };
    if (heading === UNRELEASED && sections.length > 0) return { fault: `## ${UNRELEASED} is not the first section` };
    const body = lines.join('\n').trim();
    const kinds = [...body.matchAll(/^### (.+)$/gm)].map(([, kind = '']) => kind);
    const places = kinds.map((kind) => KINDS.indexOf(kind));
    if (places.some((place, at) => place < 0 || place <= (places[at - 1] ?? -1)))
      return { fault: `## ${heading}: its parts are ${KINDS.join(', ')}, each once and in this order` };
    const [version, date] = [found?.[1] ?? null, found?.[2] ?? null];
    sections.push({ version, date, text: body, breaking: BREAKING.test(body) });
  }
  return sections;
}

/**
 * Whether `next` may follow `last`: one step up, and a step of the first number where something breaks; before 1.0.0, of the second
 * (Semantic Versioning 2.0.0 section 4). null, or what to write.
 */
export function stepFault(last: string, next: string, breaking: boolean): string | null {
  const [major, minor, patch] = last.split('.').map(Number) as [number, number, number];
  const larger = `${major + 1}.0.0`;
  const steps = [`${major}.${minor}.${patch + 1}`, `${major}.${minor + 1}.0`, larger];
  const enough = steps.slice(breaking ? (major === 0 ? 1 : 2) : 0);
  if (enough.includes(next)) return null;
  const why = breaking && steps.includes(next) ? ', since something breaks' : '';
  return `${next} does not follow ${last}${why}: write ${enough.join(' or ')}`;
}
