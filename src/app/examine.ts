import { systemClock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import type { InventoryFindings } from '../config/against-inventory.ts';
import type { Config } from '../config/schema.ts';
import { formatProblem } from '../source/problem.ts';
import { TokenVerifier } from '../token/verifier.ts';
import { startCheckTls, startControlTls } from './check-tls.ts';
import { readClientSecret } from './control/client-secret.ts';
import { startTokenKeys } from './control/token-keys.ts';
import { startIdentity } from './identity.ts';
import { missingIn, stopAll } from './part.ts';
import { unusablePlaces } from './places.ts';
import { startPolicy } from './policy.ts';
import { startRevocations, unheard } from './revocations.ts';
import { startState } from './state.ts';
import { startTasks } from './task.ts';
import { tracingFaults } from './tracing/tracing.ts';
import { startTrust } from './trust.ts';

/**
 * What is wrong with the files and folders that a configuration names (bundles, keys, intermediates, revocations, policies,
 * inventory, audit, socket) and what they say against it, one line each; no problems when a sidecar would be ready and could use all.
 */
export async function examine(config: Config): Promise<InventoryFindings> {
  const trust = await startTrust(config, () => {});
  const unheardTls = { onOwnSvid: () => {}, onCheckPort: () => {} };
  const checkTls = await startCheckTls(config, trust, unheardTls);
  const controlTls = await startControlTls(config, trust, unheardTls);
  const { signIn } = config.control;
  const secret = signIn === null ? '' : await readClientSecret(signIn.clientSecretFile);
  const tokens = new TokenVerifier({ byteLimit: config.limits.rememberedTokenBytes });
  const identity = await startIdentity(config, trust, tokens, () => {});
  const stored = await startState(config, systemClock.now(), () => {});
  const { tokenService } = config;
  const tokenKeys = tokenService === null ? [] : [await startTokenKeys(tokenService.keys, () => {})];
  const events = { onKeys: () => {}, onSecrets: () => {} };
  const tasks = await startTasks(config, trust, identity, stored.state, events, tokenKeys[0]?.source ?? null);
  const policy = await startPolicy(config);
  const revocations = await startRevocations(config, stored.shared, unheard, policy.revocable);
  const { problems, notes } = policy.findings();
  const inventory = policy.holder.current()?.inventory;
  const found = [
    ...(await unusablePlaces(config)),
    ...(await tracingFaults(config)),
    ...missingIn([trust, checkTls, identity, stored, ...tokenKeys, tasks], systemClock.now()),
    ...controlTls.missing(systemClock.now()),
    ...(secret instanceof Fault ? [secret.detail] : []),
    ...(revocations.problems().length > 0 ? revocations.problems() : revocations.missing(systemClock.now())),
    ...revocations.unknownNames(),
    ...policy.holder.status().problems.map(formatProblem),
    ...problems,
    ...(inventory === undefined ? [] : checkTls.peers.findings(inventory)),
  ];
  await controlTls.stop();
  await stopAll([revocations, policy, identity, checkTls, trust, stored, ...tokenKeys, tasks]);
  return { problems: found, notes };
}
