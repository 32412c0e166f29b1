/** Keys that files of earlier versions have, and what each is called now. */
const RENAMED: ReadonlyMap<string, string> = new Map([
  ['serves', 'hosts'],
  ['ours', 'local'],
  ['oldNames', 'legacyClaimNames'],
  ['lower', 'loosens'],
]);

/** What to write for an unknown key that an earlier version had; null for any other key. */
export function renamedKey(key: string): string | null {
  const name = RENAMED.get(key);
  return name === undefined ? null : `was renamed; write '${name}'`;
}
