import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PAYMENTS } from '../support/estate.ts';
import { finish } from '../support/run.ts';
import type { AuditLine, Sidecar } from '../support/sidecar.ts';
import type { DemoEstate } from './rows.ts';

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');

/** What the audit file holds, whether its chain is whole, one denial spelled out, and what to try next. */
export async function summary(sidecar: Sidecar): Promise<string> {
  const lines = sidecar.audit();
  const allows = lines.filter(({ result }) => result === 'allow').length;
  const denials = lines.filter(({ result }) => result === 'deny');
  const starts = lines.filter(({ event }) => event === 'boot').length;
  const { code, stdout } = await finish(process.execPath, [main, 'audit', 'verify', sidecar.auditFile]);
  const spelledOut = denials.find(({ reason }) => reason === 'policy_forbidden') ?? denials[0];
  return [
    '',
    `The audit file holds ${lines.length} lines: ${allows} allows, ${denials.length} denials, ` +
      `${starts} starts, ${lines.length - allows - denials.length - starts} changes of policies or trust.`,
    `audit verify: ${code === 0 ? stdout.trim() : `FAILED\n${stdout}`}`,
    '',
    ...(spelledOut === undefined ? [] : spellOut(spelledOut)),
    '',
    'Try next:',
    '  npm run demo -- --keep         leave it running: curl lines, and the console',
    '  npm run demo -- --spire        the same with certificates from a real SPIRE (built once, about ten minutes)',
    '  npm run demo -- --fleet        two sidecars that share a Redis',
    '  cedar/example/policies         the policies that decided; edit one, run the demo again',
    '  README.md                      attach it to your own Envoy',
  ].join('\n');
}

function spellOut(line: AuditLine): string[] {
  const hops = line.hops as readonly { id: string; role: string; result: string; forbids: readonly string[] }[];
  const facts = line.facts as { declared?: { id: string; purpose: string } | null };
  const resource = line.resource as { id: string; sensitivity: number } | null;
  const declared = facts.declared ? `only said: ${facts.declared.id} for ${facts.declared.purpose}` : 'none';
  return [
    `One denial spelled out (decision ${line.decision}, audit line ${line.seq}):`,
    `  caller    ${line.caller?.id ?? 'nobody'}, proven by its certificate`,
    `  task      ${declared}`,
    `  wanted    ${line.action} ${resource?.id ?? ''} (sensitivity ${resource?.sensitivity ?? '?'})`,
    ...hops.map(({ role, result, forbids }) => `  ${role.padEnd(9)} ${result}, forbidden by ${forbids.join(', ')}`),
    `  policies  ${line.policy?.revision ?? ''}`,
  ];
}

/** Where a demo that is left running keeps what its user may look at. */
export interface Kept {
  readonly dir: string;
  readonly policies: string;
}

/** Writes a client's certificate beside the estate, and says how curl uses it: `refund` asks for one. */
export async function curlLines(
  estate: DemoEstate,
  { dir, policies }: Kept,
  workloadPath: string,
): Promise<{ readonly text: string; readonly refund: string }> {
  const client = await estate.svid(workloadPath);
  const [cert, key] = [join(dir, 'client.pem'), join(dir, 'client.key')];
  writeFileSync(cert, client.pem);
  writeFileSync(key, client.pkcs8Pem, { mode: 0o600 });
  const { port } = estate.envoy;
  const curl = `curl -sk --cert ${cert} --key ${key} --connect-to ${PAYMENTS}:443:127.0.0.1:${port} https://${PAYMENTS}`;
  const refund = `${curl}/api/refunds -H 'content-type: application/json' -d '{"invoice":42,"amount":120}'`;
  const text = [
    '',
    `Left running. As ${workloadPath}, with a certificate that lives one hour:`,
    `  ${curl}/api/invoices/42`,
    `  policies, reloaded when you save:  ${policies}`,
    `  audit:                             ${estate.sidecar.auditFile}`,
    `  log:                               ${estate.sidecar.logFile}`,
    `  status:                            http://127.0.0.1:${estate.sidecar.statusPort}/status`,
  ].join('\n');
  return { text, refund };
}

/** Waits until whoever runs the demo stops it. */
export async function untilStopped(say: (text: string) => void): Promise<void> {
  const stopped = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  say('Stop with Ctrl-C.');
  await stopped;
}
