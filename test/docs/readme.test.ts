import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Page } from 'playwright-core';
import { table } from '../demo/table.ts';
import { noChromium as skip, startChromium } from '../support/chromium.ts';
import { Program } from '../support/process.ts';
import { type Finished, finish } from '../support/run.ts';
import { until } from '../support/until.ts';
import { blocks, marked, page, repository, section, withMarked } from './markdown.ts';

/** On a machine that runs every test at once. */
const DEMO_LIMIT_MS = 240_000;
const demo = new Program('the demo', process.execPath, [join(repository, 'test', 'demo', 'main.ts'), '--keep']);
const readme = page('README.md').text;
const story = section(readme, 'Your first policy');
/** `UPDATE_DOCS=1 node --test test/docs/readme.test.ts` writes what this run showed into the README. */
const update = process.env.UPDATE_DOCS === '1';

let kept: Kept;

/** What the demo printed for whoever goes on from it. */
interface Kept {
  readonly readInvoice: string;
  readonly askForRefund: string;
  readonly policies: string;
  readonly audit: string;
  readonly status: string;
  readonly console: string;
  /** By person. */
  readonly password: (name: string) => string;
}

before(async () => {
  await until(
    'the demo',
    () => {
      demo.assertRunning();
      return demo.stdout.includes('Stop with Ctrl-C.') ? true : null;
    },
    DEMO_LIMIT_MS,
  );
  const after = (label: string): string =>
    demo.stdout
      .find((line) => line.startsWith(`  ${label}`))
      ?.slice(label.length + 2)
      .trim() ?? '';
  const [readInvoice = '', askForRefund = ''] = demo.stdout.filter((line) => line.startsWith('  curl '));
  kept = {
    readInvoice,
    askForRefund,
    policies: after('policies, reloaded when you save:'),
    audit: after('audit:'),
    status: after('status:'),
    console:
      demo.stdout
        .find((line) => line.startsWith('2. '))
        ?.split(' ')
        .at(-1) ?? '',
    password: (name) =>
      demo.stdout
        .find((line) => line.startsWith(`  ${name} may `))
        ?.split(' ')
        .at(-1) ?? '',
  };
});
after(() => demo.stop('SIGKILL'));

const curl = existsSync('/usr/bin/curl') || process.env.CI === 'true' ? {} : { skip: 'this machine has no curl' };

test('the ledger reads an invoice by the curl line that the demo prints', curl, async () => {
  assert.equal(await statusOf(kept.readInvoice), 200);
});

test('the first policy is edited as the README says, and the same curl is denied', curl, async () => {
  const [, file = ''] = /`(\w+\.cedar)` in that folder/.exec(story) ?? [];
  const [, from = '', to = ''] = /Change one line, `(.+?)` to `(.+?)`/.exec(story) ?? [];
  const shown = blocks(story).find(({ info }) => info === 'cedar')?.text ?? '';
  const policy = join(kept.policies, file);
  const text = readFileSync(policy, 'utf8');
  assert.ok(text.includes(shown), 'the policy stands in that file as it is shown');
  assert.equal(shown.split(from).length, 2, 'what is to be changed stands there once');
  const edited = text.replace(shown, shown.replace(from, to));
  writeFileSync(policy, edited);

  const [refused = '', ...more] = await until('the test that says no', async () => {
    const problems = await problemsInForce();
    return problems.length > 0 ? problems : null;
  });
  assert.deepEqual(more, []);
  if (update) rewrite('refused', 'text', refused);
  assert.equal(marked(page('README.md').text, 'refused').trim(), refused);
  assert.equal(await statusOf(kept.readInvoice), 200, 'the last good snapshot stays');

  const [, tests = '', line = ''] = /(\S+?):(\d+):\d+: /.exec(refused) ?? [];
  const cases = join(kept.policies, tests);
  const lines = readFileSync(cases, 'utf8').split('\n');
  const before = lines.slice(0, Number(line) - 1).join('\n');
  const after = lines.slice(Number(line) - 1).join('\n');
  const changes = [...story.matchAll(/`([^`]+)`(?:,)? becomes\s+`([^`]+)`/g)];
  assert.equal(changes.length, 2);
  const meant = changes.reduce((rest, [, was = '', is = '']) => rest.replace(was, is), after);
  writeFileSync(cases, `${before}\n${meant}`);
  await until('the edit to take effect', async () => ((await statusOf(kept.readInvoice)) === 403 ? true : null));
  assert.deepEqual(await problemsInForce(), []);

  writeFileSync(policy, edited.replace(to, to.replace('in ', 'inn ')));
  const [spoilt = ''] = await until('the spoilt line to be seen', async () => {
    const problems = await problemsInForce();
    return problems.length > 0 ? problems : null;
  });
  assert.match(spoilt, new RegExp(`${file}:\\d+:\\d+: `), 'with file, line and column');
  assert.equal(await statusOf(kept.readInvoice), 403, 'the last good snapshot stays');
});

/** What `/status` says is wrong with the policies as they stand in the folder. */
async function problemsInForce(): Promise<readonly string[]> {
  const { policy } = (await (await fetch(kept.status)).json()) as { policy: { problems: readonly string[] } };
  return policy.problems;
}

test('a denial says why, and its id leads to its line of the audit', curl, async () => {
  const { stdout } = await sh(kept.askForRefund);
  const denial = JSON.parse(stdout) as Record<string, unknown>;
  if (update) rewrite('denial', 'json', stdout);
  const shown = JSON.parse(marked(page('README.md').text, 'denial')) as Record<string, unknown>;
  const withoutIds = (one: Record<string, unknown>) => ({
    ...one,
    decision: '',
    approval: Object.keys(one.approval ?? {}),
  });
  assert.deepEqual(withoutIds(denial), withoutIds(shown));

  const commands = shellLines(section(readme, 'Why was I denied?'));
  const [grep = '', verify = ''] = commands.map((line) =>
    line.replace('DECISION', String(denial.decision)).replace('audit.jsonl', kept.audit),
  );
  const line = JSON.parse((await sh(grep)).stdout) as Record<string, unknown>;
  assert.equal(line.reason, denial.reason);
  for (const member of ['caller', 'resource', 'hops', 'policy']) assert.ok(line[member], member);
  const [explain = ''] = blocks(page('docs/reasons.md').text).map((block) => block.text);
  assert.equal(
    (await sh(explain.replace('01994c…', String(denial.decision)).replace('audit.jsonl', kept.audit))).stdout,
    `${JSON.stringify(line)}\n`,
  );
  const verified = await sh(verify);
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  assert.match(verified.stdout, /lines unbroken/);
});

test('the three steps of the README lead from a denied refund to one that passes, once', {
  skip: curl.skip ?? skip,
}, async () => {
  const steps = section(readme, 'A person allows a refund');
  const reason = async () =>
    (JSON.parse((await sh(kept.askForRefund)).stdout || '{}') as { reason?: string }).reason ?? null;
  assert.ok(steps.includes(`denied with \`${await reason()}\``));

  const [, person = ''] = /sign in as `(\w+)`/.exec(steps) ?? [];
  const buttons = [...steps.matchAll(/\*\*(.+?)\*\*/g)].map(([, name = '']) => name);
  assert.equal(buttons.length, 4);
  await using started = new AsyncDisposableStack();
  const chromium = started.adopt(await startChromium(), (one) => one.close());
  const signIn = async (name: string, password: string) => {
    const context = await chromium.newContext({ ignoreHTTPSErrors: true });
    const visited = await context.newPage();
    await visited.goto(kept.console);
    await visited.getByRole('link', { name: buttons[0]! }).click();
    await visited.getByLabel('Name').fill(name);
    await visited.getByLabel('Password').fill(password);
    await visited.getByRole('button', { name: 'Sign in' }).click();
    return visited;
  };
  const decide = async (visited: Page) => {
    const [, ask, preview, confirm] = buttons as [string, string, string, string];
    await visited.getByRole('article').filter({ hasText: '/api/refunds' }).getByRole('button', { name: ask }).click();
    const dialog = visited.getByRole('dialog');
    await dialog.getByRole('textbox').fill('the invoice was paid twice');
    await dialog.getByRole('button', { name: preview }).click();
    await dialog.getByRole('button', { name: confirm, exact: true }).click();
    return dialog;
  };

  const wrong = await signIn(person, 'a guess');
  await wrong.getByRole('alert').filter({ hasText: 'password is wrong' }).waitFor();
  const looking = await decide(await signIn('ben', kept.password('ben')));
  await looking.getByRole('alert').filter({ hasText: /\w/ }).waitFor();
  assert.equal(await reason(), 'approval_required', 'who may only look allows nothing');
  const deciding = await decide(await signIn(person, kept.password(person)));
  await deciding.getByRole('heading', { name: 'Done' }).waitFor();
  assert.equal(await statusOf(kept.askForRefund), 200);
  assert.equal(await reason(), 'approval_required', 'it was for one request');
});

test('the demo ends right, and shows what the README shows', async () => {
  process.kill(demo.pid, 'SIGINT');
  const code = await until('the end of the demo', () => demo.exitCode, DEMO_LIMIT_MS);
  assert.equal(code, 0, demo.tail());
  const output = excerpt(demo.stdout);
  if (update) rewrite('demo', 'text', output);
  assert.equal(steady(marked(page('README.md').text, 'demo')), steady(output));
  const { scripts } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  assert.match(scripts.demo ?? '', / node test\/demo\/main\.ts$/);
});

/** The rows of the demo that the README shows. */
const shownRows: readonly RegExp[] = [
  /^ledger .* GET \/api\/invoices\/42 {2}/,
  /^billing-agent .* GET \/api\/invoices\/42 {2}/,
  /^billing-agent .* proof with the nonce /,
  /^ledger .* POST \/api\/refunds /,
  /^no certificate /,
  /^ledger .* sidecar killed /,
];

/** The six rows of the table as a table of their own, and how the demo ends. */
function excerpt(lines: readonly string[]): string {
  const cells = (line: string): readonly string[] => line.trim().split(/ {2,}/);
  const [heading = '', ...rows] = lines.slice(lines.findIndex((line) => line.startsWith('who ')));
  const shown = shownRows.map((row) => rows.find((line) => row.test(line)) ?? `no row ${row}`);
  const last = lines.filter((line) => /^(demo|reuse): /.test(line));
  return [table([...cells(heading), ''], shown.map(cells)), '…', ...last].join('\n');
}

/** Without what differs in each run: times, and widths that follow them. */
function steady(output: string): string {
  return output
    .replace(/\d+( *)(?=✓|✗)/g, 'MS$1')
    .replace(/ +/g, ' ')
    .replace(/─+/g, '─')
    .trim();
}

function rewrite(name: string, info: string, block: string): void {
  const file = join(repository, 'README.md');
  writeFileSync(file, withMarked(readFileSync(file, 'utf8'), name, info, block));
}

function shellLines(text: string): readonly string[] {
  return blocks(text).flatMap((block) => (block.info === 'sh' ? block.text.trim().split('\n') : []));
}

/** A command line of the README, typed at the root of the repository. */
function sh(line: string): Promise<Finished> {
  return finish('sh', ['-c', line], { cwd: repository });
}

async function statusOf(curlLine: string): Promise<number> {
  const { stdout } = await sh(`${curlLine} -o /dev/null -w '%{http_code}'`);
  return Number(stdout);
}
