import { join } from 'node:path';
import type * as z from 'zod';
import { contradiction } from './contradiction.ts';
import type { Environment } from './document.ts';
import { identity } from './identity.ts';
import * as s from './scalars.ts';
import { task } from './task.ts';

/** The guardrails that come with the product, beside src/ and dist/. */
const SHIPPED_GUARDRAILS = join(import.meta.dirname, '..', '..', 'cedar', 'guardrails');

const listen = (folder: string) =>
  s
    .section({
      check: s
        .address(folder)
        .prefault('unix:///run/cedar-ext-authz/check.sock')
        .describe(
          'Where Envoy asks. Whoever reaches it can send anyone’s certificate: a Unix socket (mode 0660), TCP on the loopback address, or TCP with tls and peers',
        ),
      tls: s
        .orOff(
          s.section({
            svid: s
              .optional(s.workloadId())
              .describe('The SPIFFE ID to serve as; left out: the default identity that the agent gives'),
          }),
        )
        .prefault('off')
        .describe('Mutual TLS on the check port, by the sidecar’s own SVID from the SPIFFE agent'),
      peers: s
        .list(s.workloadId(), 1024, (id) => id.text)
        .prefault([])
        .describe('With tls: the SPIFFE IDs that may ask, which are those of your Envoys'),
      status: s
        .tcpAddressOrOff()
        .prefault('127.0.0.1:9192')
        .describe('Health, readiness, metrics and status over HTTP: read-only, without authentication'),
      control: s.word(['off']).prefault('off').describe('The control API and console: not there yet, so only off'),
      unsafePlaintext: s
        .flag()
        .prefault(false)
        .describe(
          'Lets the check port listen off the loopback address without mutual TLS: whoever reaches it is believed to be Envoy',
        ),
    })
    .check((ctx) => {
      const { check, status, tls, peers, unsafePlaintext } = ctx.value;
      if (check.kind === 'tcp' && !check.loopback && !unsafePlaintext && tls === null) {
        const message =
          'lies off the loopback address: whoever reaches it can send anyone’s certificate; set listen.tls and listen.peers, use a Unix socket or 127.0.0.1, or set listen.unsafePlaintext';
        contradiction(ctx, ['check'], message);
      }
      if (tls !== null && check.kind !== 'tcp') contradiction(ctx, ['tls'], 'is for TCP; a Unix socket has a mode');
      if (tls !== null && peers.length === 0)
        contradiction(ctx, ['peers'], 'is empty, so nobody could ask; list your Envoys');
      if (tls === null && peers.length > 0) contradiction(ctx, ['peers'], 'cannot be told apart without listen.tls');
      if (tls !== null && unsafePlaintext) contradiction(ctx, ['unsafePlaintext'], 'contradicts listen.tls; drop one');
      if (status === null || check.kind !== 'tcp' || status.port === 0) return;
      if (status.port === check.port)
        contradiction(ctx, ['status'], 'takes the port of listen.check; choose another one');
    });

const policy = (folder: string) =>
  s.section({
    folder: s.path(folder).prefault('./policies').describe('Your Cedar policies, schemas and their tests; watched'),
    inventory: s.path(folder).prefault('./inventory.yaml').describe('Workloads, owners, resources, purposes; watched'),
    guardrails: s
      .section({
        folder: s
          .optional(s.path(folder))
          .transform((value) => value ?? SHIPPED_GUARDRAILS)
          .describe('The guardrails; left out: those that come with this release'),
        disable: s
          .list(
            s
              .section({
                id: s.text().describe('The `@id` of the guardrail'),
                because: s.text().describe('Why, for whoever reads this later'),
                until: s.lastDay().describe('The last day (UTC) on which it stays disabled'),
              })
              .transform(({ until, ...rest }) => ({ ...rest, untilMs: until })),
            256,
            (entry) => entry.id,
          )
          .prefault([])
          .describe('Guardrails that do not hold here; counted in a metric'),
      })
      .prefault({})
      .describe('The policies that come with the product'),
    label: s
      .optional(s.text())
      .describe(
        'What names these files elsewhere, such as a commit: stands beside the revision in audit, metrics and status',
      ),
    headers: s
      .list(
        s.section({
          name: s.headerName().describe('Name in lower case'),
          type: s
            .word(['string', 'long'])
            .prefault('string')
            .describe('long: plain decimal digits in the safe range, else the request is refused'),
        }),
        64,
        (header) => header.name,
      )
      .prefault([])
      .describe('Request headers that policies may read; no other reaches Cedar or the audit'),
    unsafeIgnoreWarnings: s.flag().prefault(false).describe('Loads policies that Cedar’s validator warns about'),
    unsafeObserveOnly: s
      .flag()
      .prefault(false)
      .describe('Turns refusals by policy (`policy_*`, `approval_*`) into allows and records them; all others stay'),
  });

/** Where audit lines go. */
export type AuditSink = { readonly to: 'stdout' } | { readonly to: 'file'; readonly path: string };

const audit = (folder: string) =>
  s.section({
    sinks: s
      .list(
        s
          .section({
            stdout: s.optional(s.section({})).describe('Standard output, one line for each check'),
            file: s
              .optional(
                s.section({ path: s.path(folder).describe('The file; made with mode 0600, only ever appended to') }),
              )
              .describe('A file of this sidecar alone'),
          })
          .check((ctx) => {
            const { stdout, file } = ctx.value;
            if ((stdout === null) === (file === null)) contradiction(ctx, [], 'needs exactly one of stdout, file');
          })
          .transform(({ file }): AuditSink => (file === null ? { to: 'stdout' } : { to: 'file', path: file.path })),
        8,
        (sink) => (sink.to === 'stdout' ? '' : sink.path),
      )
      .min(1, { error: 'is empty; every decision is recorded somewhere' })
      .prefault([{ stdout: {} }])
      .describe('Where each line goes; every sink has its own chain, and an allow waits for all of them'),
    onFailure: s
      .word(['deny', 'unsafeAllow'])
      .prefault('deny')
      .describe('What becomes of an allow that cannot be recorded in time; unsafeAllow lets it go unrecorded'),
    queryParameters: s
      .list(s.text(), 256, s.self)
      .prefault([])
      .describe(
        'Query parameters whose values stand in the audit as they are, by their names as requests write them; of every other value it holds the digest, since it may be a secret',
      ),
    queue: s
      .count(16, 1_000_000)
      .prefault(8192)
      .describe(
        'Lines that may wait for a sink, 32 Mi characters together at most; beyond it a line cannot be recorded',
      ),
  });

const limits = () =>
  s
    .section({
      concurrentChecks: s
        .count(1, 65_536)
        .prefault(256)
        .describe('Checks at one time; one more is refused as overloaded'),
      requestBytes: s.size('4KiB', '64MiB').prefault('1MiB').describe('Size of one CheckRequest'),
      targetBytes: s
        .size('256B', '1MiB')
        .prefault('8KiB')
        .describe('Size of path and query of one request (RFC 9110 section 4.1 asks for 8000 bytes at the least)'),
      headerBytes: s.size('1KiB', '16MiB').prefault('64KiB').describe('Size of all headers of one request'),
      deadline: s
        .duration('20ms', '1m')
        .prefault('1s')
        .describe('The most that a check may take; Envoy’s own deadline counts when it is shorter'),
      streams: s.count(1, 65_536).prefault(1024).describe('Streams at one time on one connection'),
      sessionBytes: s.size('1MiB', '1024MiB').prefault('16MiB').describe('Memory of one connection'),
      rememberedCertificates: s
        .count(0, 1_000_000)
        .prefault(10_000)
        .describe(
          'Verified certificates that are remembered, 2 KiB each on the average, four chains of one leaf at most',
        ),
      rememberedTokenBytes: s
        .size('64KiB', '1024MiB')
        .prefault('16MiB')
        .describe('Memory of verified tokens; a sixteenth of it is for those that are wrong for good'),
      rememberedProofs: s
        .count(1, 10_000_000)
        .prefault(100_000)
        .describe(
          'Proofs of possession that are remembered as used, 512 bytes each; one caller gets half of what all others leave, and when it is full, the next one is refused',
        ),
      drainDelay: s
        .duration('0s', '10m')
        .prefault('3s')
        .describe(
          'Time after SIGTERM in which checks are still taken, while gRPC health says NOT_SERVING: longer than Envoy’s health checks need to notice',
        ),
      drain: s
        .duration('0s', '10m')
        .prefault('20s')
        .describe('Time after limits.drainDelay to answer what is in flight'),
    })
    .check((ctx) => {
      if (ctx.value.headerBytes > ctx.value.requestBytes) {
        contradiction(ctx, ['headerBytes'], 'is larger than limits.requestBytes, so it could never be reached');
      }
    })
    .transform(({ deadline, drainDelay, drain, ...rest }) => ({
      ...rest,
      deadlineMs: deadline,
      drainDelayMs: drainDelay,
      drainMs: drain,
    }));

/** The one schema of the configuration file; relative paths start at `folder`, and `env` may name the SPIFFE agent. */
export function configSchema(folder: string, env: Environment = {}) {
  return s.section({
    listen: listen(folder).prefault({}).describe('Where the sidecar listens'),
    hosts: s
      .list(s.host(), 256, s.self)
      .prefault([])
      .describe('Hosts that this Envoy serves; with more than one, the route’s `context_extensions.host` decides'),
    request: s
      .section({
        mergeSlashes: s
          .flag()
          .prefault(false)
          .describe('Reads `//` in a path as `/`, as Envoy’s `merge_slashes` does; otherwise it is refused'),
      })
      .prefault({})
      .describe('How requests are read'),
    identity: identity(folder, env).describe('Who can prove to be a caller'),
    task: task(folder).prefault({}).describe('How a task is stated'),
    chain: s
      .section({ maxDepth: s.count(1, 16).prefault(4).describe('Workloads in a chain, the caller included') })
      .prefault({})
      .describe('Through whom'),
    policy: policy(folder).prefault({}).describe('What is permitted'),
    state: s
      .section({
        store: s
          .word(['memory'])
          .prefault('memory')
          .describe('memory: lost at the end, and not shared between sidecars'),
      })
      .prefault({})
      .describe('What outlives a request'),
    audit: audit(folder).prefault({}).describe('The record of every decision'),
    limits: limits().prefault({}).describe('What bounds the work'),
    log: s
      .section({
        level: s.word(['debug', 'info', 'warn', 'error']).prefault('info').describe('The least level that is written'),
      })
      .prefault({})
      .describe('The log of the sidecar itself, as JSON lines on standard error'),
  });
}

/** A configuration that was read whole and holds no contradiction. Durations end in `Ms`, paths are absolute. */
export type Config = z.output<ReturnType<typeof configSchema>>;
