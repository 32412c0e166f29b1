import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const page = join(import.meta.dirname, '..', '..', 'docs', 'state.md');

/** The rules that docs/state.md gives the user of the store, for a namespace and a password. */
export function documentedAcl(namespace: string, password: string): readonly string[] {
  const rules = /```text acl\nuser authz (.*)\n```/.exec(readFileSync(page, 'utf8'))?.[1];
  if (rules === undefined) throw new Error(`${page} has no ACL`);
  return rules.replace('>PASSWORD', `>${password}`).replace('{default}', `{${namespace}}`).split(' ');
}
