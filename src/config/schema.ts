import { join } from 'node:path';
import type * as z from 'zod';
import { contradiction } from './contradiction.ts';
import { control, tokenService } from './control.ts';
import type { Environment } from './document.ts';
import { identity } from './identity.ts';
import { listenSection } from './listen.ts';
import { state } from './state.ts';
import { expanded, task } from './task.ts';
import { tracing } from './tracing.ts';
import * as s from './values/scalars.ts';

/** The guardrails that come with the product, beside src/ and dist/. */
const SHIPPED_GUARDRAILS = join(import.meta.dirname, '..', '..', 'cedar', 'guardrails');

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
                because: s.text().describe('The reason, for the record'),
                until: s.lastDay().describe('The last day (UTC) on which it stays disabled'),
              })
              .transform(({ until, ...rest }) => ({ ...rest, untilMs: until })),
            256,
            (entry) => entry.id,
          )
          .prefault([])
          .describe('Disabled guardrails; counted in a metric'),
      })
      .prefault({})
      .describe('The policies that come with the product'),
    label: s
      .optional(s.text())
      .describe('A name of these files, such as a commit: shown with the revision in audit, metrics and status'),
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
      .describe('Request headers that policies may read; no others are passed to Cedar or the audit'),
    unsafeIgnoreWarnings: s.flag().describe('Loads policies that Cedar’s validator warns about'),
    unsafeObserveOnly: s
      .flag()
      .describe('Allows what policies deny (`policy_*`, `approval_*`), and records it; other denials are enforced'),
  });

/** Where audit lines go. */
export type AuditSinkConfig = { readonly to: 'stdout' } | { readonly to: 'file'; readonly path: string };

const audit = (folder: string) =>
  s.section({
    sinks: s
      .list(
        s
          .section({
            stdout: s.optional(s.section({})).describe('Standard output, one line for each check'),
            file: s
              .optional(s.section({ path: s.path(folder).describe('The file; created with mode 0600, append-only') }))
              .describe('A file that only this sidecar writes'),
          })
          .check((ctx) => {
            const { stdout, file } = ctx.value;
            if ((stdout === null) === (file === null)) contradiction(ctx, [], 'needs exactly one of stdout, file');
          })
          .transform(
            ({ file }): AuditSinkConfig => (file === null ? { to: 'stdout' } : { to: 'file', path: file.path }),
          ),
        8,
        (sink) => (sink.to === 'stdout' ? '' : sink.path),
      )
      .min(1, { error: 'is empty; every decision is recorded somewhere' })
      .prefault([{ stdout: {} }])
      .describe('Where audit lines are written; every sink has its own chain, and an allow waits for all of them'),
    onFailure: s
      .word(['deny', 'unsafeAllow'])
      .prefault('deny')
      .describe('What happens to an allow that cannot be recorded in time; unsafeAllow allows it without a record'),
    queryParameters: s
      .list(s.text(), 256, s.self)
      .prefault([])
      .describe(
        'Query parameters whose values are recorded in the audit, by their names as spelled in requests; of other values only a digest is recorded, since they may be secret',
      ),
    queue: s
      .count(16, 1_000_000)
      .prefault(8192)
      .describe(
        'Lines that may wait for a sink, at most 32 Mi characters in all; beyond that a line cannot be recorded',
      ),
  });

const limits = () =>
  s
    .section({
      concurrentChecks: s
        .count(1, 65_536)
        .prefault(256)
        .describe('Concurrent checks; one more is refused as overloaded'),
      requestBytes: s.size('4KiB', '64MiB').prefault('1MiB').describe('Size of one CheckRequest'),
      targetBytes: s
        .size('256B', '1MiB')
        .prefault('8KiB')
        .describe('Size of path and query of one request (RFC 9110 section 4.1 recommends at least 8000 bytes)'),
      headerBytes: s.size('1KiB', '16MiB').prefault('64KiB').describe('Size of all headers of one request'),
      deadline: s
        .duration('20ms', '1m')
        .prefault('1s')
        .describe('Maximum time of a check; Envoy’s own deadline applies if it is shorter'),
      streams: s.count(1, 65_536).prefault(1024).describe('Concurrent streams on one connection'),
      sessionBytes: s.size('1MiB', '1024MiB').prefault('16MiB').describe('Memory of one connection'),
      rememberedCertificates: s
        .count(0, 1_000_000)
        .prefault(10_000)
        .describe('Verified certificates in the cache, 2 KiB each on average, at most four chains for one leaf'),
      rememberedTokenBytes: s
        .size('64KiB', '1024MiB')
        .prefault('16MiB')
        .describe('Memory of verified tokens; a sixteenth of it is for invalid ones'),
      rememberedProofs: s
        .count(1, 10_000_000)
        .prefault(100_000)
        .describe(
          'Used proofs of possession in the store, 512 bytes each; one caller gets at most half of what the others leave free, and when it is full, the next proof is refused',
        ),
      drainDelay: s
        .duration('0s', '10m')
        .prefault('3s')
        .describe(
          'Time after SIGTERM in which checks are still accepted, while gRPC health is NOT_SERVING: longer than Envoy’s health checks need to notice',
        ),
      drain: s
        .duration('0s', '10m')
        .prefault('20s')
        .describe('Time after limits.drainDelay to answer checks in flight'),
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
    listen: listenSection(folder).prefault({}).describe('Where the sidecar listens'),
    hosts: s
      .list(s.host(), 256, s.self)
      .prefault([])
      .describe('Hosts that this Envoy serves; with more than one, the route’s `context_extensions.host` decides'),
    request: s
      .section({
        mergeSlashes: s
          .flag()
          .describe('Reads `//` in a path as `/`, as Envoy’s `merge_slashes` does; otherwise it is refused'),
      })
      .prefault({})
      .describe('How requests are read'),
    identity: identity(folder, env).describe('How callers are authenticated'),
    task: task(folder).prefault({}).describe('How a task is stated'),
    chain: s
      .section({ maxDepth: s.count(1, 16).prefault(4).describe('Workloads in a chain, the caller included') })
      .prefault({})
      .describe('Through whom'),
    policy: policy(folder).prefault({}).describe('What is permitted'),
    state: state(folder).prefault({}).describe('What outlives a request'),
    revocations: s
      .section({
        file: s.optional(s.path(folder)).describe('YAML file of revocations; read again when it changes'),
      })
      .prefault({})
      .describe('What is refused although it is valid'),
    behaviour: s
      .section({
        mode: s
          .word(['learn', 'observe', 'act'])
          .prefault('observe')
          .describe(
            'observe: what is noticed about callers goes to audit and metrics, and what policies would have done is counted; act: policies read `context.risk` and `context.signals`; learn: as observe, and everything that comes is usual from then on',
          ),
        workloads: s
          .count(1, 1_000_000)
          .prefault(10_000)
          .describe('Workloads of which it is known what is usual, 4 KiB each: those that were seen last'),
        file: s
          .optional(s.path(folder))
          .describe(
            'The file in which this sidecar alone keeps what is usual, 5 KiB for each workload; written every five minutes and at the end. Left out: a restart forgets it',
          ),
      })
      .prefault({})
      .describe('What is noticed about how workloads behave'),
    control: control(folder).prefault({}).describe('Who may order, and whose orders are believed'),
    tokenService: s
      .orOff(tokenService(folder))
      .prefault('off')
      .describe('The token service, at `/token` of the control port: issues task tokens'),
    audit: audit(folder).prefault({}).describe('The record of every decision'),
    limits: limits().prefault({}).describe('What bounds the work'),
    log: s
      .section({
        level: s.word(['debug', 'info', 'warn', 'error']).prefault('info').describe('The lowest level that is written'),
      })
      .prefault({})
      .describe('The log of the sidecar itself, as JSON lines on standard error'),
    tracing: s
      .orOff(tracing(folder))
      .prefault('off')
      .describe('Traces of checks for OpenTelemetry; off: none are made'),
  });
}

/** A configuration as its sections read it. */
export type ParsedConfig = z.output<ReturnType<typeof configSchema>>;

/**
 * A configuration that was read whole and holds no contradiction. Durations end in `Ms`, paths are absolute; an issuer of
 * tasks that is built in has become one of Transaction Tokens.
 */
export type Config = ReturnType<typeof completed>;

/** The configuration of sections that do not contradict each other. */
export function completed(config: ParsedConfig) {
  const issuers = config.task.issuers.map((issuer) => (issuer.kind === 'built-in' ? expanded(issuer, config) : issuer));
  return { ...config, task: { ...config.task, issuers } };
}
