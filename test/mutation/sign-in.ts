import { globSync } from 'node:fs';
import { type Condition, weakenedGuards } from './mutants.ts';
import { root, runMutation } from './run.ts';

/**
 * Does each check of a sign-in and of a session have a test? In a copy of the sources, one guard after another is deleted,
 * and one condition after another is weakened; the tests must notice. A word picks the files whose path holds it.
 */
const [word = ''] = process.argv.slice(2);
const sources = globSync(['src/control/sign-in/*.ts', 'src/state/sessions/*.ts', 'src/base/seal.ts'], {
  cwd: root,
}).filter((file) => !file.endsWith('.test.ts') && file.includes(word));
const quick = [
  'src/control/sign-in/sessions.test.ts',
  'src/control/sign-in/logout-token.test.ts',
  'src/base/seal.test.ts',
];
const slow = [
  'test/control/sign-in/refused-sign-ins.test.ts',
  'test/control/sign-in/held-sessions.test.ts',
  'test/cli/sign-in.test.ts',
];

const conditions: readonly Condition[] = [
  ['cross-site.ts', "site === 'same-origin' ?", "site !== 'cross-site' ?"],
  ['cross-site.ts', 'headers.origin === origin', 'headers.origin !== undefined'],
  ['login.ts', 'login.data.checks.state === state', 'true'],
  ['login.ts', '(?![/\\\\])', ''],
  ['provider.ts', 'expectedState: state', 'expectedState: library.skipStateCheck'],
  ['provider.ts', 'execute: [library.enableNonRepudiationChecks]', 'execute: []'],
  ['provider.ts', "code_challenge_method: 'S256',", "code_challenge_method: 'plain',"],
  ['sessions.ts', 'found.challenge !== sha256(verifier)', 'found.challenge === null'],
  ['sessions.ts', 'nowMs - found.beganMs > CODE_MS ||', ''],
  ['sessions.ts', 'nowMs - beganMs >= lifetimeMs ||', ''],
  ['sessions.ts', '|| nowMs - seenMs >= idleMs', ''],
  ['sessions.ts', 'found.beganMs > untilMs', 'false'],
  ['sessions.ts', 'const isFirst = await this.#rules.store.end(key)', 'const isFirst = true'],
  [
    'logout-token.ts',
    'const wrong = times instanceof TokenFault ? times : checkAudience(claims, clientId)',
    'const wrong = times instanceof TokenFault ? times : null',
  ],
  ['id-token.ts', 'Array.isArray(value) && value.length <= most &&', 'Array.isArray(value) &&'],
  ['redis-sessions.ts', "String(untilMs), 'XX')", 'String(untilMs))'],
  ['redis-sessions.ts', "String(TURN_MS), 'NX')", 'String(TURN_MS))'],
  ['sessions.ts', 'nowMs - before.readMs < rereadMs + TURN_MS', 'true'],
  ['sessions.ts', 'found === null || nowMs - found.readMs < rereadMs', 'found === null'],
  ['cookies.ts', 'chars > MOST_CHARS', 'false'],
  ['pages.ts', "(request.headers['sec-fetch-site'] ?? 'none') !== 'none'", 'false'],
  ['provider.ts', 'status >= 500 || BUSY.has(status) || BUSY.has(said)', 'status >= 500'],
  ['seal.ts', 'decipher.setAAD(Buffer.from(about)).setAuthTag', 'decipher.setAuthTag'],
];

/** What notices first. */
const NEAR: readonly (readonly [part: string, test: string])[] = [
  ['sessions', 'src/control/sign-in/sessions.test.ts'],
  ['seal', 'src/base/seal.test.ts'],
  ['id-token', 'test/control/sign-in/refused-sign-ins.test.ts'],
  ['provider', 'test/control/sign-in/refused-sign-ins.test.ts'],
  ['login', 'test/control/sign-in/refused-sign-ins.test.ts'],
  ['held-session', 'test/control/sign-in/held-sessions.test.ts'],
  ['cross-site', 'test/control/sign-in/held-sessions.test.ts'],
  ['logout-token', 'test/control/sign-in/held-sessions.test.ts'],
  ['logout-token', 'src/control/sign-in/logout-token.test.ts'],
];

/** What no test can notice, each with its reason. */
const explained: Readonly<Record<string, string>> = {};

process.exitCode = await runMutation({
  name: 'sign-in',
  mutants: sources.flatMap((file) => [...weakenedGuards(root, file, conditions)]),
  conditions: word === '' ? conditions : [],
  tests: [...quick, ...slow],
  near: (file) => NEAR.filter(([part]) => file.includes(part)).map(([, test]) => test),
  explained,
});
