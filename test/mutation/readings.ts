import { type Patch, runSoakMutation } from './soak.ts';

/**
 * Can the soak of readings fail? In a copy of the sources one check after another is deleted.
 * `node test/mutation/readings.ts [WORD]` takes the checks whose name holds the word.
 */
const patches: readonly Patch[] = [
  ['only a GET is an upgrade', 'src/inventory/host.ts', ["access.upgrade && access.method !== 'GET'", 'false']],
  ['an upgrade is CONNECT', 'src/inventory/host.ts', ["access.upgrade ? 'CONNECT' : access.method", 'access.method']],
  ['one trailing slash is no part of the path', 'src/inventory/host.ts', ["segments.join('/')", 'whole.slice(1)']],
  ['crossing apis each list the method', 'src/inventory/host.ts', [').some((listed)', ').slice(0, 1).some((listed)']],
  ['a lenient reading refuses', 'src/inventory/host.ts', ['if (another !== null)', 'if (false)']],
  ['a folding host folds', 'src/inventory/host.ts', ['this.#caseInsensitive ? lowerPath(access.path) : ', '']],
  ['effect: write makes a write', 'src/inventory/host.ts', ['if (writes)', 'if (false)']],
  ['names that fold alike refuse', 'src/http/guard.ts', ['if (respelled !== null)', 'if (false)']],
  ['names that fold to ours refuse', 'src/http/guard.ts', [' || (read !== name && read.startsWith(OWN_PREFIX))', '']],
  [
    'other names of ours are removed',
    'src/check/header-mutations.ts',
    ['more.length === 0 ? usual : [...usual, ...more]', 'usual'],
  ],
  ['a header that overrides refuses', 'src/http/guard.ts', ['if (override !== null)', 'if (false)']],
  ['a query that overrides refuses', 'src/http/request-line.ts', ['if (override !== null)', 'if (false)']],
  ['the path is decoded', 'src/http/path.ts', ['if (!/[%\\u0000-\\u0020\\u007f-\\uffff]/.test(rawPath))', 'if (true)']],
];

process.exitCode = await runSoakMutation({
  args: ['readings', '3000'],
  env: { SOAK_SEED: '1' },
  patches,
  word: process.argv[2] ?? '',
});
