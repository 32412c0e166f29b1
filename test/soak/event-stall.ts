import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { ALL_TO_OPERATOR, OPERATOR, startControlWorld } from '../support/control-world.ts';
import { encode, HOST } from '../support/world.ts';
import type { SoakResult } from './run.ts';
import { longestPiece } from './stall.ts';

const [TRIALS, SECONDS, PER_MINUTE, VIEWERS] = [3, 6, 10_000, 4];
/** What one piece may keep the serving thread busy, in milliseconds of its CPU. */
const MOST_MS = 20;

/**
 * `npm run soak -- event-stall`: how long the thread that answers checks is kept from everything else at a time, at 10,000
 * denials a minute that four viewers are told one by one. The checks and their client are in it, too. Of some trials the best
 * counts: what garbage takes is not theirs.
 */
export async function run(): Promise<SoakResult> {
  const world = await startControlWorld({
    policies: ALL_TO_OPERATOR,
    edit: (config) => {
      // A hundredth is the share of one caller.
      config.state = { ...config.state, activity: { denials: 1_000_000 } };
    },
  });
  const { hostname, port } = new URL(world.control ?? '');
  const workerData = { hostname, port, token: world.token(OPERATOR), viewers: VIEWERS };
  const message = encode({ svid: world.svid('/ns/payments/sa/api'), host: HOST, path: '/nowhere' });
  const count = (PER_MINUTE / 60) * SECONDS;
  const flood = async (): Promise<void> => {
    const began = performance.now();
    for (let n = 1; n <= count; n++) {
      await world.call(message);
      await pause(Math.max(0, began + (n * 1000 * SECONDS) / count - performance.now()));
    }
    await pause(1000);
  };
  try {
    await flood();
    const alone: number[] = [];
    const viewed: number[] = [];
    let told = 0;
    for (let trial = 0; trial < TRIALS; trial++) {
      alone.push(await longestPiece(flood));
      const readers = new Worker(READERS, { eval: true, workerData });
      await new Promise((resolve) => readers.once('message', resolve));
      viewed.push(await longestPiece(flood));
      told += await new Promise<number>((resolve) => {
        readers.once('message', resolve);
        readers.postMessage('how many');
      });
      await readers.terminate();
    }
    const [least, longest] = [Math.min(...alone), Math.min(...viewed)];
    const faults = longest > MOST_MS ? [`one piece took ${viewed.map((ms) => ms.toFixed(1)).join(', ')} ms`] : [];
    if (told !== count * VIEWERS * TRIALS)
      faults.push(`${told} decisions were told, and not ${count * VIEWERS * TRIALS}`);
    const line = `longest piece at ${PER_MINUTE} denials a minute with ${VIEWERS} viewers: ${longest.toFixed(1)} ms, with none ${least.toFixed(1)} ms; ${told} told`;
    return { line, faults };
  } finally {
    await world.stop();
  }
}

/** They read in a thread of their own: what a viewer costs is not the server's. */
const READERS = `
const { parentPort, workerData: { hostname, port, token, viewers } } = require('node:worker_threads');
const { request } = require('node:http');
let [told, begun] = [0, 0];
const headers = { authorization: 'Bearer ' + token, accept: 'text/event-stream' };
for (let n = 0; n < viewers; n++)
  request({ hostname, port, path: '/events?of=decisions', headers, agent: false }, (response) => {
    let rest = '';
    response.setEncoding('utf8');
    response.on('data', (chunk) => {
      const blocks = (rest + chunk).split('\\n\\n');
      rest = blocks.pop();
      for (const block of blocks) {
        if (block.includes('event: decisions')) told++;
        if (block.includes('event: ready') && ++begun === viewers) parentPort.postMessage('ready');
      }
    });
    response.on('error', () => {});
  }).on('error', () => {}).end();
parentPort.on('message', () => parentPort.postMessage(told));
`;
