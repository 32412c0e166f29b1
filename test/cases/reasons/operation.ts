import { join } from 'node:path';
import { type Reason, Refusal } from '../../../src/base/outcome.ts';
import { createAnswerer, refused } from '../../../src/check/answer.ts';
import { toRecord } from '../../../src/check/record.ts';
import { readRequest } from '../../../src/envoy/request.ts';
import { serveChecks } from '../../../src/envoy/server.ts';
import { Audit } from '../../../src/observe/audit.ts';
import { FileSink } from '../../../src/observe/sink.ts';
import { requestOptions } from '../../support/check-request.ts';
import { removeFolder, temporaryFolder } from '../../support/folder.ts';
import { until } from '../../support/until.ts';
import { checkPort, World, type WorldOptions } from '../../support/world.ts';
import { agentByDpop, ledgerReads } from '../../support/world-asks.ts';
import { HeldOutput } from '../../support/world-sink.ts';
import { pair, type ReasonCase, type Scene } from './case.ts';

/** Played in a world of its own, whose standard output is a second sink of the audit. */
function scene(limits: object, play: (world: World, output: HeldOutput) => ReturnType<Scene['play']>): Scene {
  return {
    play: async () => {
      const output = new HeldOutput();
      const edit: WorldOptions['edit'] = (config) => {
        Object.assign(config.limits, limits);
        Object.assign(config.audit, { sinks: [{ stdout: {} }, { file: { path: './audit.jsonl' } }] });
      };
      const world = await World.start({ edit, stdout: output });
      try {
        return await play(world, output);
      } finally {
        output.release();
        await world.stop();
      }
    },
  };
}

const INFLIGHT = /^authz_inflight_checks 2$/m;

/** The answerer and the server of the product, over a decision that has a bug. */
const internal: Scene = {
  play: async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'audit.jsonl');
    const audit = await Audit.start({
      sinks: [new FileSink(file)],
      queue: 16,
      onFailure: 'deny',
      now: Date.now,
      start: {},
      report: () => {},
    });
    const { answer } = createAnswerer({
      decide: ({ path }) => {
        if (path === '/bug') throw new TypeError('undefined is not a function');
        return refused(new Refusal('policy_no_permit', 'nobody permits'));
      },
      record: (result, waitMs) => audit.record(toRecord(result), waitMs),
      trace: () => null,
      listeners: [],
      onListenerBug: () => {},
      undelivered: () => {},
      onBug: () => {},
      clock: Date.now,
      limits: { concurrentChecks: 16, marginMs: 10, deadlineMs: 10_000 },
    });
    const server = await serveChecks(
      { socket: join(folder, 'check.sock') },
      { requestBytes: 65_536, concurrentStreams: 16, sessionMemoryMb: 1 },
      {
        answer,
        read: (message, checkPeer) => readRequest(message, { checkPeer }, requestOptions),
        onBug: () => {},
      },
    );
    const port = checkPort(server.target, file);
    try {
      return {
        bad: await port.send({ svid: null, path: '/bug' }),
        good: await port.send({ svid: null, path: '/' }),
      };
    } finally {
      port.close();
      await server.drain(0, 1000);
      await audit.close(1000);
      removeFolder(folder);
    }
  },
  goodIs: 'policy_no_permit',
};

export const operation = {
  caller_unregistered: pair(ledgerReads(), (world) =>
    ledgerReads({ svid: world.svid('/ns/shadow/sa/forgotten') })(world),
  ),
  overloaded: scene({ concurrentChecks: 1, deadline: '30s' }, async (world, output) => {
    output.hold();
    const first = world.send(ledgerReads()(world));
    await output.stalled();
    const second = world.send(ledgerReads()(world));
    await until('the second check', async () => (INFLIGHT.test(await world.status('/metrics')) ? true : null));
    output.release();
    return { good: await first, bad: await second };
  }),
  audit_unavailable: scene({ deadline: '1s' }, async (world, output) => {
    const good = await world.send(ledgerReads()(world));
    output.hold();
    const bad = await world.send(ledgerReads()(world));
    const withdrawn = await until('the withdrawal of what was recorded already', () =>
      world.audit().find(({ decision, event }) => decision === bad.decision && event === 'withdrawn'),
    );
    return { good, bad: { ...bad, audit: withdrawn } };
  }),
  state_unavailable: scene({ rememberedProofs: 1 }, async (world) => ({
    good: await world.send(agentByDpop()(world)),
    bad: await world.send(agentByDpop()(world)),
  })),
  internal,
} satisfies Partial<Record<Reason, ReasonCase>>;
