import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { after, before, test } from 'node:test';
import { rows } from './demo/rows.ts';
import { copyExample, Estate } from './support/estate.ts';
import { removeFolder, temporaryFolder } from './support/folder.ts';
import { writeFiles } from './support/policy-cli.ts';
import { cachedProveTools } from './support/prove-tools.ts';

/** `UPDATE_DOCS=1` writes what the commands print now into the page: read the diff before it is committed. */
const update = process.env.UPDATE_DOCS === '1';
const root = join(import.meta.dirname, '..');
const page = join(root, 'docs', 'policies.md');

/** Where they are not built, what they would say is left as it stands. */
const tools = cachedProveTools();
const asksSolver = (block: string): boolean => /policy (?:prove|compare) |--deep/.test(block);

let folder: string;

before(async () => {
  folder = temporaryFolder();
  copyExample(join(folder, 'example'));
  writeFileSync(join(folder, 'audit.jsonl'), await demoAudit());
  const shim = join(folder, 'cedar-ext-authz');
  writeFileSync(shim, `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'src', 'main.ts')}' "$@"\n`);
  chmodSync(shim, 0o755);
});
after(() => removeFolder(folder));

/** The audit of the demo's table, with decision ids that are the same for every run. */
async function demoAudit(): Promise<string> {
  const estate = await Estate.start({ envoy: 'uds' });
  const openEnvoy = await estate.base.envoy('test-permissive', estate.upstream);
  try {
    for (const row of rows) await row.play({ estate, openEnvoy });
    copyFileSync(estate.sidecar.auditFile, join(folder, 'demo.jsonl'));
  } finally {
    await openEnvoy.stop();
    await estate.stop();
  }
  const ids = new Map<string, string>();
  return readFileSync(join(folder, 'demo.jsonl'), 'utf8').replace(/"decision":"([^"]+)"/g, (_, id: string) => {
    const number = String(ids.size + 1).padStart(12, '0');
    const known = ids.get(id) ?? `01994c00-0000-7000-8000-${number}`;
    ids.set(id, known);
    return `"decision":"${known}"`;
  });
}

/** What a terminal would show. */
function shell(command: string): Promise<{ readonly code: number; readonly said: string }> {
  const PATH = `${folder}${delimiter}${process.env.PATH ?? ''}`;
  return new Promise((resolve) => {
    const child = execFile(
      '/bin/sh',
      ['-c', `exec 2>&1; ${command}`],
      {
        cwd: folder,
        env: { ...process.env, PATH, NODE_NO_WARNINGS: '1', CEDAR: tools?.cedar ?? '', CVC5: tools?.cvc5 ?? '' },
      },
      (_, stdout) => resolve({ code: child.exitCode ?? -1, said: stdout }),
    );
  });
}

/** A block of commands with their output, as it comes out now. */
async function played(block: string): Promise<string> {
  if (tools === null && asksSolver(block)) return block;
  const shown: string[] = [];
  let code = 0;
  for (const line of block.split('\n').filter((text) => text.startsWith('$ '))) {
    const command = line.slice(2);
    shown.push(line);
    if (command === 'echo $?') {
      shown.push(String(code));
      continue;
    }
    const result = await shell(command);
    code = result.code;
    if (result.said !== '') shown.push(result.said.trimEnd());
  }
  return `${shown.join('\n')}\n`;
}

/** Revisions change with every word of the example and of the guardrails; and of many requests a solver shows any. */
function anyRevision(text: string): string {
  return text
    .replace(/sha256:[0-9a-f]{12}\b/g, 'sha256:…')
    .replace(/^( {2}.*allowed(?: now)? by ).*, where\n(?: {4}.*\n)*/gm, '$1…\n');
}

test('docs/policies.md: each file is written, each command is run, and says what stands there (UPDATE_DOCS=1)', async () => {
  const text = readFileSync(page, 'utf8');
  let now = '';
  let end = 0;
  let commands = 0;
  for (const match of text.matchAll(/^```(\w+)(?: (\S+))?\n([\s\S]*?)^```$/gm)) {
    const [whole, language = '', file, body = ''] = match;
    now += text.slice(end, match.index);
    end = match.index + whole.length;
    if (file !== undefined) writeFiles(folder, { [file]: body });
    if (language === 'console') commands++;
    now += language === 'console' ? `\`\`\`console\n${await played(body)}\`\`\`` : whole;
  }
  now += text.slice(end);
  if (update) writeFileSync(page, now);
  else assert.equal(anyRevision(now), anyRevision(text));
  assert.ok(commands > 8);
});
