import { basename, dirname } from 'node:path';

/** What makes a file's name look like one of ours. A suffix behind it (`.txt`, `.json`, `.bak`) makes it something else. */
const POLICY_ENDINGS = ['cedar', 'cedarschema'];
const TEST_ENDINGS = new Set(['yaml', 'yml', 'json']);
const TESTS = 'tests';
/** What stands in a file of cases, as YAML or as JSON. */
const CASES = /^[ \t]*(?:\{[ \t]*)?["']?cases["']?[ \t]*:/m;
const README = /^readme(\.|$)|\.md$/i;

/**
 * Why a file of a policy folder that is not read looks as if it should be, or null where it does not. `name` is relative to
 * the folder; `beginning` is asked only where the name alone does not tell.
 */
export async function passedOver(name: string, beginning: () => Promise<string>): Promise<string | null> {
  const file = basename(name);
  if (README.test(file)) return null;
  const endings = file.toLowerCase().split('.').slice(1);
  if (endings.some((ending) => POLICY_ENDINGS.some((ours) => isNear(ending, ours)))) {
    return 'looks like a policy or a schema, and is not read; end its name in .cedar or .cedarschema, or move it away';
  }
  const folders = dirname(name).split('/');
  const wanted = `only *.yaml and *.yml below a folder '${TESTS}' are`;
  if (folders.includes(TESTS)) return `is not read as a test; ${wanted}`;
  if (!endings.some((ending) => TEST_ENDINGS.has(ending))) return null;
  const isBesideTests = folders.some((folder) => isNear(folder.toLowerCase(), TESTS));
  if (!isBesideTests && !CASES.test(await beginning())) return null;
  return `looks like a test, and is not read; ${wanted}`;
}

/** Equal, or one slip of the keyboard apart: a letter too much, too few, another one, or two swapped. */
function isNear(text: string, wanted: string): boolean {
  let [start, endText, endWanted] = [0, text.length, wanted.length];
  while (start < endText && start < endWanted && text[start] === wanted[start]) start++;
  while (endText > start && endWanted > start && text[endText - 1] === wanted[endWanted - 1]) {
    endText--;
    endWanted--;
  }
  const [left, right] = [text.slice(start, endText), wanted.slice(start, endWanted)];
  if (left.length <= 1 && right.length <= 1) return true;
  return left.length === 2 && right.length === 2 && left[0] === right[1] && left[1] === right[0];
}
