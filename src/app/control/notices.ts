import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import type { Config } from '../../config/schema.ts';
import { ApprovalWatch, type WatchedBook } from '../../control/notices/approval-watch.ts';
import { type Notice, noticeOf } from '../../control/notices/notice.ts';
import { LONGEST_MS, Receiver, type ReceiverEvent } from '../../control/notices/receiver.ts';
import { readSecrets } from '../../control/notices/signature.ts';
import type { Log } from '../../observe/log.ts';
import type { Metrics } from '../../observe/metrics.ts';
import type { HolderEvents } from '../../policy/load/holder.ts';
import type { State } from '../../state/model.ts';
import { readAuthorities } from '../../token/key-fetch.ts';

const READ_MS = 5000;

/** What notices stand on, running. */
export interface NoticeStands {
  readonly log: Log;
  readonly metrics: Metrics;
  /** By which the processes that share it send each notice once. */
  readonly state: State;
  /** Null where nothing can be granted. */
  readonly approvals: WatchedBook | null;
  readonly policy: {
    readonly events: { on(event: 'loaded', run: (...loaded: HolderEvents['loaded']) => void): unknown };
  };
  readonly clock: Clock;
}

/** The notices to people, running: a part of the app. */
export interface NoticesPart {
  missing(): readonly string[];
  status(): Readonly<Record<string, unknown>>;
  /** What is measured before a scrape. */
  readonly gauges: () => { readonly authz_control_notices_waiting?: number };
  stop(): Promise<void>;
}

/** Tells the receivers of the configuration of what happens. Never rejects. */
export async function startNotices({ control, policy }: Config, stands: NoticeStands): Promise<NoticesPart> {
  const { console: listener, notices } = control;
  const { state, clock } = stands;
  const page = listener === null ? null : `${listener.url.origin}/#/approvals`;
  const receivers: Receiver[] = [];
  for (const { name, ...rest } of notices) {
    // No check is refused for it: the files are read again for each delivery.
    const detail = await fileFault(rest);
    if (detail !== null) stands.log.error('notice receiver cannot be told', { receiver: name, detail });
    for (const result of ['delivered', 'failed', 'given-up', 'dropped', 'suppressed'])
      stands.metrics.control('authz_control_notices_total', { receiver: name, result }, 0);
    const onEvent = (event: ReceiverEvent) => report(stands, name, event);
    receivers.push(new Receiver({ ...rest, name, page, state, clock, random: Math.random, onEvent }));
  }
  const tell = (notice: Notice): void => {
    for (const receiver of receivers) receiver.offer(notice);
  };
  const watch =
    receivers.length === 0 || stands.approvals === null ? null : new ApprovalWatch(stands.approvals, clock, tell);
  if (receivers.length > 0) watchGuardrails(policy.guardrails.disable, stands, tell);
  return {
    missing: () => [],
    status: () => (receivers.length === 0 ? {} : { notices: receivers.map((receiver) => receiver.status()) }),
    gauges: () =>
      receivers.length === 0
        ? {}
        : { authz_control_notices_waiting: receivers.reduce((sum, each) => sum + each.status().waiting, 0) },
    stop: async () => {
      watch?.stop();
      await Promise.all(receivers.map((receiver) => receiver.stop()));
    },
  };
}

/** What is wrong with a file that deliveries need; null: nothing. They read them again. */
async function fileFault({ secretFiles, ca }: Pick<Config['control']['notices'][number], 'secretFiles' | 'ca'>) {
  const secrets = await readSecrets(secretFiles, AbortSignal.timeout(READ_MS));
  if (secrets instanceof Fault) return secrets.detail;
  const authorities = ca === null ? null : await readAuthorities(ca);
  return authorities instanceof Fault ? authorities.detail : null;
}

/** Tells of guardrails whose time of being disabled ended while this process ran, once they bind. */
function watchGuardrails(
  disabled: Config['policy']['guardrails']['disable'],
  { policy, clock }: NoticeStands,
  tell: (notice: Notice) => void,
): void {
  const left = new Set(disabled.filter(({ untilMs }) => clock.now() < untilMs));
  policy.events.on('loaded', () => {
    for (const guardrail of left) {
      const { id, untilMs } = guardrail;
      if (clock.now() < untilMs) continue;
      left.delete(guardrail);
      tell(noticeOf('guardrail.expired', [id, untilMs], { atMs: untilMs, untilMs: untilMs + LONGEST_MS }, { id }));
    }
  });
}

function report({ log, metrics }: NoticeStands, receiver: string, { result, notice, attempt, detail }: ReceiverEvent) {
  if (result === 'disabled') return log.error('notice receiver disabled', { receiver, detail });
  metrics.control('authz_control_notices_total', { receiver, result });
  const fields = { receiver, notice: notice.id, type: notice.type, attempt, detail };
  if (result === 'failed') log.warn('notice not delivered', fields);
  else if (result === 'given-up' || result === 'dropped') log.error('notice lost', fields);
}
