import { systemClock } from '../base/clock.ts';
import type { Config } from '../config/schema.ts';
import type { CheckTls } from '../envoy/tls.ts';
import type { BundleSnapshot } from '../trust/bundle.ts';
import { BundleStore } from '../trust/bundle-source.ts';
import { bundleFile } from '../trust/bundle-source-file.ts';
import { svidFiles } from '../trust/own-svid-files.ts';
import {
  agentSvid,
  OwnIdentity,
  type OwnIdentityEvent,
  type OwnSvidSource,
  type Validity,
} from '../trust/own-svid-source.ts';
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
  /** From when and until when our own certificate is valid; null without one. */
  validity(nowMs: number): Validity | null;
}

export interface CheckTlsEvents {
  readonly onOwnSvid: (event: OwnIdentityEvent) => void;
  readonly onCheckPort: (event: CheckPortEvent) => void;
}

/** A port that proves itself by TLS. */
type TlsPort = 'listen.tls' | 'listen.control.tls' | 'control.console.tls';
type PortTlsConfig = NonNullable<Config['listen']['tls']>;

/** How one port proves itself and its clients, running. */
export interface PortTls extends Omit<CheckTlsPart, 'rules' | 'peers' | 'files' | 'status'> {
  readonly rules: Pick<CheckTls, 'ownSvid' | 'bundles'>;
  files(nowMs: number): readonly { readonly file: 'certificate' | 'ca'; readonly fault: string | null }[];
  /** What `/status` shows of its certificate. */
  ownStatus(nowMs: number): Readonly<Record<string, unknown>>;
}

/** Starts what `listen.tls` names, and reads the peers. */
export async function startCheckTls(config: Config, { bundles }: Trust, events: CheckTlsEvents): Promise<CheckTlsPart> {
  const [peers, tls] = await Promise.all([
    startPeers(config, events.onCheckPort),
    startPortTls(config, 'listen.tls', config.listen.tls, { bundles }, events),
  ]);
  const peersFile = () => (config.listen.peersFile === null ? [] : [{ file: 'peers' as const, fault: peers.fault() }]);
  return {
    rules: tls === null ? null : { ...tls.rules, peers: peers.current },
    peers,
    files: (nowMs) => [...(tls?.files(nowMs) ?? []), ...peersFile()],
    validity: (nowMs) => tls?.validity(nowMs) ?? null,
    missing: (nowMs) => [...(tls?.missing(nowMs) ?? []), ...peers.missing(nowMs)],
    status: (nowMs) => ({ ownSvid: tls?.ownStatus(nowMs) ?? null, ...peers.status(nowMs) }),
    stop: async () => {
      await tls?.stop();
      await peers.stop();
    },
  };
}

/**
 * Starts what the TLS of a port names; null where the port has none. Never plaintext where TLS was asked for: without a
 * source of a certificate it throws.
 */
async function startPortTls(
  config: Config,
  port: TlsPort,
  tls: PortTlsConfig | null,
  { bundles }: Pick<Trust, 'bundles'>,
  events: CheckTlsEvents,
): Promise<PortTls | null> {
  if (tls === null) return null;
  const own = ownIdentity(config, port, tls, events);
  const ca = authorities(config, port, tls, events);
  await Promise.all([own.start(), ca?.source.start(ca.store)]);
  const caStatus = (nowMs: number) => ca?.store.status(nowMs)[0] ?? null;
  return {
    rules: {
      ownSvid: (listener) => own.onChange(listener),
      bundles: (): BundleSnapshot => (ca?.store ?? bundles).snapshot(),
    },
    files: (nowMs) => [
      ...(tls.files === null ? [] : [{ file: 'certificate' as const, fault: own.status(nowMs).fault }]),
      ...(ca === null ? [] : [{ file: 'ca' as const, fault: caStatus(nowMs)?.fault ?? null }]),
    ],
    validity: (nowMs) => own.status(nowMs).validity,
    missing: (nowMs) => {
      const authority = caStatus(nowMs);
      return [
        ...missingSvid(own, nowMs),
        ...(authority === null || authority.state === 'fresh'
          ? []
          : [`the authorities of ${port}.files.ca are ${authority.state}${reason(authority.fault)}`]),
      ];
    },
    ownStatus: (nowMs) => ownStatus(own, nowMs),
    stop: async () => {
      ca?.source.stop();
      await own.stop();
    },
  };
}

/** The TLS of both ports of the control API, for workloads and for people; null where a port has none. */
export async function startControlTls(config: Config, trust: Pick<Trust, 'bundles'>, events: CheckTlsEvents) {
  const { control } = config.listen;
  const { console: people } = config.control;
  const forPeople = people === null ? null : { svid: null, files: { ...people.tls, ca: null } };
  const ports = {
    workloads: await startPortTls(config, 'listen.control.tls', control?.tls ?? null, trust, events),
    people: await startPortTls(config, 'control.console.tls', forPeople, trust, events),
  };
  const both = Object.values(ports).filter((port) => port !== null);
  return {
    workloads: ports.workloads?.rules ?? null,
    people: ports.people?.rules ?? null,
    missing: (nowMs: number): readonly string[] => both.flatMap((port) => port.missing(nowMs)),
    gauges: (nowMs: number) => controlSvidGauges(both, nowMs),
    stop: async (): Promise<void> => void (await Promise.all(both.map((port) => port.stop()))),
  };
}

/** Of the ports' certificates the one that ends first. */
function controlSvidGauges(ports: readonly PortTls[], nowMs: number) {
  const [first] = ports
    .flatMap((port) => port.validity(nowMs) ?? [])
    .toSorted((one, other) => one.notAfter - other.notAfter);
  return {
    authz_control_svid_expiry_seconds: first === undefined ? null : first.notAfter - nowMs / 1000,
    authz_control_svid_lifetime_seconds: first === undefined ? null : first.notAfter - first.notBefore,
  };
}

function ownIdentity(
  { identity }: Config,
  port: TlsPort,
  { files, svid }: PortTlsConfig,
  { onOwnSvid }: Pick<CheckTlsEvents, 'onOwnSvid'>,
): OwnIdentity {
  const { socket } = identity.workloadApi;
  if (files !== null) {
    return new OwnIdentity({ source: svidFiles({ ...files, clock: systemClock }), onEvent: onOwnSvid });
  }
  if (socket === null) throw new Error(`${port} is set, and there is no SPIFFE agent to take an SVID from`);
  const source: OwnSvidSource = agentSvid(agentApi(socket), svid);
  return new OwnIdentity({ source, onEvent: onOwnSvid });
}

/** The authorities of `files.ca`, which speak for the local trust domain. */
function authorities({ identity }: Config, port: TlsPort, { files }: PortTlsConfig, { onCheckPort }: CheckTlsEvents) {
  const file = files?.ca ?? null;
  const [trustDomain, local] = Object.entries(identity.trustDomains).find(([, each]) => each.local) ?? [];
  if (file === null || trustDomain === undefined || local === undefined) return null;
  const { maxStaleMs } = local;
  return {
    store: new BundleStore({
      domains: [{ name: trustDomain, local: true, maxStaleMs }],
      clock: systemClock.now,
      onEvent: ({ result, revision, detail }) => {
        if (result === 'unchanged') return;
        const name = port === 'listen.tls' ? ('ca' as const) : ('control-ca' as const);
        onCheckPort({ file: name, result: result === 'updated' ? 'updated' : 'rejected', revision, detail });
      },
    }),
    source: bundleFile({ trustDomain, file, maxStaleMs, clock: systemClock }),
  };
}

function missingSvid(own: OwnIdentity, nowMs: number): readonly string[] {
  const { state, fault } = own.status(nowMs);
  return state === 'valid' ? [] : [`our own SVID is ${state}${reason(fault)}`];
}

function ownStatus(own: OwnIdentity, nowMs: number) {
  const { validity, ...status } = own.status(nowMs);
  return { ...status, notAfter: timeText(validity === null ? null : validity.notAfter * 1000) };
}

const reason = (fault: string | null): string => (fault === null ? '' : `: ${fault}`);
