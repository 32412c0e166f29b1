import { systemClock } from '../base/clock.ts';
import type { Config } from '../config/schema.ts';
import type { CheckTls } from '../envoy/tls.ts';
import type { BundleSnapshot } from '../trust/bundle.ts';
import { BundleStore } from '../trust/bundle-source.ts';
import { bundleFile } from '../trust/bundle-source-file.ts';
import { svidFiles } from '../trust/own-svid-files.ts';
import { agentSvid, OwnIdentity, type OwnIdentityEvent, type OwnSvidSource } from '../trust/own-svid-source.ts';
import type { CheckPortEvent } from './changes.ts';
import { type CheckPeers, startPeers } from './check-peers.ts';
import { type Part, timeText } from './part.ts';
import { agentApi, type Trust } from './trust.ts';

/** How the check port proves itself and its clients, running: certificate, authorities and peers are read in the background. */
export interface CheckTlsPart extends Part {
  /** What the listener asks; null without `listen.tls`. */
  readonly rules: Pick<CheckTls, 'ownSvid' | 'peers' | 'bundles'> | null;
  readonly peers: CheckPeers;
  /** The files that are read again, each with what was wrong with its last read. */
  files(nowMs: number): readonly { readonly file: 'certificate' | 'ca' | 'peers'; readonly fault: string | null }[];
  /** When our own certificate ends, in seconds since the epoch; null without one. */
  notAfter(nowMs: number): number | null;
}

export interface CheckTlsEvents {
  readonly onOwnSvid: (event: OwnIdentityEvent) => void;
  readonly onCheckPort: (event: CheckPortEvent) => void;
}

/** Starts what `listen.tls` names. Never plaintext where mutual TLS was asked for: without a source it throws. */
export async function startCheckTls(config: Config, { bundles }: Trust, events: CheckTlsEvents): Promise<CheckTlsPart> {
  const own = ownIdentity(config, events);
  const ca = authorities(config, events);
  const [peers] = await Promise.all([startPeers(config, events.onCheckPort), own?.start(), ca?.source.start(ca.store)]);
  const files = config.listen.tls?.files ?? null;
  const caStatus = (nowMs: number) => ca?.store.status(nowMs)[0] ?? null;
  return {
    rules:
      own === null
        ? null
        : {
            ownSvid: (listener) => own.onChange(listener),
            peers: peers.current,
            bundles: (): BundleSnapshot => (ca?.store ?? bundles).snapshot(),
          },
    peers,
    files: (nowMs) => [
      ...(files === null || own === null ? [] : [{ file: 'certificate' as const, fault: own.status(nowMs).fault }]),
      ...(ca === null ? [] : [{ file: 'ca' as const, fault: caStatus(nowMs)?.fault ?? null }]),
      ...(config.listen.peersFile === null ? [] : [{ file: 'peers' as const, fault: peers.fault() }]),
    ],
    notAfter: (nowMs) => own?.status(nowMs).notAfter ?? null,
    missing: (nowMs) => {
      const authority = caStatus(nowMs);
      return [
        ...missingSvid(own, nowMs),
        ...(authority === null || authority.state === 'fresh'
          ? []
          : [`the authorities of listen.tls.files.ca are ${authority.state}${reason(authority.fault)}`]),
        ...peers.missing(nowMs),
      ];
    },
    status: (nowMs) => ({ ownSvid: own === null ? null : ownStatus(own, nowMs), ...peers.status(nowMs) }),
    stop: async () => {
      ca?.source.stop();
      await own?.stop();
      await peers.stop();
    },
  };
}

function ownIdentity(
  { listen, identity }: Config,
  { onOwnSvid }: Pick<CheckTlsEvents, 'onOwnSvid'>,
): OwnIdentity | null {
  if (listen.tls === null) return null;
  const { files, svid } = listen.tls;
  const { socket } = identity.workloadApi;
  if (files !== null) {
    return new OwnIdentity({ source: svidFiles({ ...files, clock: systemClock }), onEvent: onOwnSvid });
  }
  if (socket === null) throw new Error('listen.tls is set, and there is no SPIFFE agent to take an SVID from');
  const source: OwnSvidSource = agentSvid(agentApi(socket), svid);
  return new OwnIdentity({ source, onEvent: onOwnSvid });
}

/** The authorities of `listen.tls.files.ca`, which speak for the local trust domain. */
function authorities({ listen, identity }: Config, { onCheckPort }: CheckTlsEvents) {
  const file = listen.tls?.files?.ca ?? null;
  const [trustDomain, local] = Object.entries(identity.trustDomains).find(([, each]) => each.local) ?? [];
  if (file === null || trustDomain === undefined || local === undefined) return null;
  const { maxStaleMs } = local;
  return {
    store: new BundleStore({
      domains: [{ name: trustDomain, local: true, maxStaleMs }],
      clock: systemClock.now,
      onEvent: ({ result, revision, detail }) => {
        if (result !== 'unchanged')
          onCheckPort({ file: 'ca', result: result === 'updated' ? 'updated' : 'rejected', revision, detail });
      },
    }),
    source: bundleFile({ trustDomain, file, maxStaleMs, clock: systemClock }),
  };
}

function missingSvid(own: OwnIdentity | null, nowMs: number): readonly string[] {
  if (own === null) return [];
  const { state, fault } = own.status(nowMs);
  return state === 'valid' ? [] : [`our own SVID is ${state}${reason(fault)}`];
}

function ownStatus(own: OwnIdentity, nowMs: number) {
  const { notAfter, ...status } = own.status(nowMs);
  return { ...status, notAfter: timeText(notAfter === null ? null : notAfter * 1000) };
}

const reason = (fault: string | null): string => (fault === null ? '' : `: ${fault}`);
