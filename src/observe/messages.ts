import { behaviourMessages } from './messages/behaviour-messages.ts';
import { emergencyMessages } from './messages/emergency-messages.ts';
import { legacyMessages } from './messages/legacy-messages.ts';
import type { LogLevel, MessageRow } from './messages/message-row.ts';
import { noticeMessages } from './messages/notice-messages.ts';
import { recordMessages } from './messages/record-messages.ts';
import { tracingMessages } from './messages/tracing-messages.ts';

/**
 * The only table of log messages; the key is the text of `message`. docs/messages.md is generated from it. A message that
 * is not here, or at another level, does not compile.
 */
export const messages = {
  serving: {
    level: 'info',
    fields: ['check', 'control', 'status', 'version'],
    use: 'The check port and the status port listen; `/readyz` tells whether checks can be answered',
  },
  stopped: {
    level: 'info',
    fields: [],
    use: 'All checks in flight were answered, and all audit lines were written',
  },
  'store connected': {
    level: 'info',
    fields: ['server', 'version', 'provesSince'],
    use: 'Checks that redeem something are decided with it. Proofs that were made before `provesSince` need a nonce',
  },
  'store lost': {
    level: 'error',
    fields: ['server', 'detail'],
    use: 'Checks that redeem something are refused with `state_unavailable` until it is connected again, which is tried at once',
  },
  'store cannot be used': {
    level: 'error',
    fields: ['detail'],
    use: 'Correct what `detail` names, in the store or under `state`; one line for each new cause',
  },
  'store began a new history': {
    level: 'warn',
    fields: ['provesSince', 'detail'],
    use: 'It was restarted, emptied or replaced, so earlier uses may be forgotten: proofs that were made before `provesSince` need a nonce',
  },
  'store warning': {
    level: 'warn',
    fields: ['detail'],
    use: 'Correct what `detail` names before the store refuses',
  },
  ...behaviourMessages,
  'store lists disagree': {
    level: 'warn',
    fields: ['detail'],
    use: 'Write the same `state.activity` in all processes of the store: who keeps less drops what the others keep. One line for each new difference',
  },
  'store takes nothing for lists': {
    level: 'warn',
    fields: ['detail'],
    use: 'The lists of the control API lack decisions and last uses; checks and the audit are not affected. One line for each new cause',
  },
  ...legacyMessages,
  ...tracingMessages,
  'token service keys read': {
    level: 'info',
    fields: ['keys'],
    use: 'The file of `tokenService.keys` was read: the `kid` of each key, the one that signs first',
  },
  'token service keys could not be read': {
    level: 'error',
    fields: ['detail'],
    use: 'Tokens are signed with the last good keys; without any, not ready. Correct the file that `detail` names',
  },
  'nonce secrets read': {
    level: 'info',
    fields: ['secrets'],
    use: '`task.dpop.nonce.secretFile` was read; the number of its secrets',
  },
  'nonce secrets could not be read': {
    level: 'error',
    fields: ['detail', 'kept'],
    use: 'Correct the file; `kept`: the last good secrets are used until then',
  },
  'unsafe setting in force': {
    level: 'warn',
    fields: ['setting', 'gives'],
    use: 'The configuration reduces protection; one line for each such setting at each start',
  },
  'configuration problem': {
    level: 'warn',
    fields: ['problem'],
    use: 'Correct the configuration or the inventory: a name in one of them is not in the other, so it can do nothing',
  },
  ...emergencyMessages,
  'policy snapshot loaded': {
    level: 'info',
    fields: ['revision', 'label', 'warnings'],
    use: 'New checks use it',
  },
  'team folders held back': {
    level: 'error',
    fields: ['revision', 'teams', 'problems'],
    use: 'Correct the files of these teams. Their previous files stay in use; all other changes take effect',
  },
  'policy snapshot refused, keeping the last good one': {
    level: 'error',
    fields: ['revision', 'problems'],
    use: 'Correct the files: each problem has its place. `authz_policy_out_of_date` is 1 until then',
  },
  'no policy snapshot could be loaded': {
    level: 'error',
    fields: ['problems'],
    use: 'Correct the files: every check is refused with `policy_unavailable` until then',
  },
  'guardrails bound again': {
    level: 'warn',
    fields: ['guardrails', 'revision'],
    use: 'The period for which the configuration disabled them is over; remove them from `policy.guardrails.disable`',
  },
  'trust bundle updated': {
    level: 'info',
    fields: ['trustDomain', 'revision', 'detail'],
    use: 'Callers of the trust domain are now verified with it; `detail` names authorities that cannot be used',
  },
  'trust bundle withdrawn': {
    level: 'warn',
    fields: ['trustDomain', 'revision', 'detail'],
    use: 'The SPIFFE agent no longer gives a bundle for this trust domain: its workloads are refused',
  },
  'trust bundle refresh failed, keeping the last good one': {
    level: 'error',
    fields: ['trustDomain', 'revision', 'detail'],
    use: 'Fix the cause in `detail` before the bundle is older than `maxStale`: then its workloads are refused',
  },
  'there is no trust bundle': {
    level: 'error',
    fields: ['trustDomain', 'detail'],
    use: 'Fix the cause in `detail`: workloads of this trust domain are refused until then',
  },
  'issuer keys read': {
    level: 'info',
    fields: ['issuer', 'detail'],
    use: 'New keys of this issuer are in use; `detail` names those that are ignored',
  },
  'issuer keys refresh failed, keeping the last good ones': {
    level: 'error',
    fields: ['issuer', 'detail'],
    use: 'Fix the cause in `detail` before the keys are older than `maxStale`: then its tokens are refused',
  },
  'there are no issuer keys': {
    level: 'error',
    fields: ['issuer', 'detail'],
    use: 'Fix the cause in `detail`: tokens of this issuer are refused until then',
  },
  'revocations read': {
    level: 'info',
    fields: ['added', 'changed', 'lifted'],
    use: 'These revocations apply from now on, or no longer: ids of `revocations.file`, at most 256 each; the audit holds all that were lifted',
  },
  'revocations refused in part, lifting nothing': {
    level: 'error',
    fields: ['problems'],
    use: 'Correct the file: what can be read of it applies beside what it held before, and nothing is lifted until it has no fault',
  },
  'there are no revocations': {
    level: 'error',
    fields: ['problems'],
    use: 'Correct or create the file of `revocations.file`: every check is refused with `state_unavailable` until then',
  },
  'revocations changed in the store': {
    level: 'info',
    fields: ['added', 'lifted'],
    use: 'These revocations of the store apply from now on, or no longer, since a trusted key lifted them; what ends is not told',
  },
  'lifts rejected': {
    level: 'error',
    fields: ['revocations'],
    use: 'The store holds lifts of these revocations that no key of `control.trustedKeys` signed: a key that is missing here, or somebody who writes to the store without one. They lift nothing',
  },
  'revocations written back to the store': {
    level: 'warn',
    fields: ['revocations'],
    use: 'The store had lost so many revocations, or lifts of them: a failover, a restart without its file, or somebody who deletes them',
  },
  'revocations could not be written back to the store': {
    level: 'error',
    fields: ['detail'],
    use: 'This sidecar goes on with them, others do not know them: see `detail`. It is tried again with the next full read',
  },
  ...recordMessages,
  ...noticeMessages,
  'keys of lifts read': {
    level: 'info',
    fields: ['trusted', 'signs'],
    use: 'Lifts hold by these keys from now on; `signs`: whether lifts can be ordered here',
  },
  'keys of lifts could not be read': {
    level: 'error',
    fields: ['detail', 'kept'],
    use: 'Correct the files of `control.key` and `control.trustedKeys`; `kept`: the last good ones are used meanwhile',
  },
  'SVID rotated': {
    level: 'info',
    fields: ['id', 'until'],
    use: 'New connections to the check port see the new certificate of the sidecar',
  },
  'SVID withdrawn': {
    level: 'error',
    fields: ['detail'],
    use: 'The SPIFFE agent denies the sidecar its SVID: no client can connect. Check its registration entry',
  },
  'SVID renewal failed, using the current one until it expires': {
    level: 'error',
    fields: ['id', 'until', 'detail'],
    use: 'Check the SPIFFE agent, or the files of `listen.tls.files`, before the time in `until`',
  },
  'there is no SVID': {
    level: 'error',
    fields: ['detail'],
    use: 'No client can connect to the check port: check the SPIFFE agent and the registration entry of the sidecar, or the files of `listen.tls.files`',
  },
  'check port file loaded': {
    level: 'info',
    fields: ['file', 'revision', 'detail'],
    use: '`file` is `peers` or `ca`, or `control-ca` for the control port. The next check of every connection is held to it, open ones included',
  },
  'check port file refused, keeping the last good one': {
    level: 'error',
    fields: ['file', 'revision', 'detail'],
    use: 'Correct the file: `detail` has each problem with its place. `authz_check_port_out_of_date` is 1 until then',
  },
  'there is no good check port file': {
    level: 'error',
    fields: ['file', 'detail'],
    use: 'Correct the file, or mount it: no client can connect to the check port until then',
  },
  'connection to the check port refused': {
    level: 'warn',
    fields: ['address', 'cause', 'why'],
    use: 'At most one line a second; `authz_tls_refused_total` counts all. An Envoy that is not one of the peers, or a stranger',
  },
  'connection to the control port refused': {
    level: 'warn',
    fields: ['address', 'cause', 'why'],
    use: 'At most one line a second; `authz_control_tls_refused_total` counts all. A client without TLS, or a stranger',
  },
  'audit sink failed': {
    level: 'error',
    fields: ['sink', 'cause'],
    use: 'Allows are refused with `audit_unavailable` while this lasts: check the disk, or the reader of standard output',
  },
  'policy engine lost': {
    level: 'error',
    fields: ['why'],
    use: 'Checks are refused until it is replaced, which takes a moment; report the cause',
  },
  'policy engine replaced': {
    level: 'warn',
    fields: ['milliseconds'],
    use: 'Checks are decided again',
  },
  'bug: check refused': {
    level: 'error',
    fields: ['decision', 'error'],
    use: 'Report it with the stack in `error`: the check was refused with `internal`',
  },
  'bug: listener failed': {
    level: 'error',
    fields: ['decision', 'error'],
    use: 'Report it with the stack in `error`: the check was answered and recorded, and is missing from the metrics',
  },
  'bug: control call failed': {
    level: 'error',
    fields: ['decision', 'error'],
    use: 'Report it with the stack in `error`: the call was answered with 500. Checks are not affected',
  },
  'status page failed': {
    level: 'error',
    fields: ['path', 'error'],
    use: 'Report it: checks are not affected',
  },
} as const satisfies Readonly<Record<string, MessageRow>>;

/** The messages of one level. */
export type MessageOf<L extends LogLevel> = {
  [M in keyof typeof messages]: (typeof messages)[M]['level'] extends L ? M : never;
}[keyof typeof messages];
