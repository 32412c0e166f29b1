import { once } from 'node:events';
import { residentMb } from './load.ts';
import type { Sidecar } from './sidecar.ts';
import { until } from './until.ts';

/**
 * The resident memory of a sidecar once all its garbage is collected, in MB: what it has beyond that says when V8 felt like
 * collecting, and nothing of leaks. The inspector of node is asked for it.
 */
export async function liveMb(sidecar: Sidecar): Promise<number> {
  process.kill(sidecar.pid, 'SIGUSR1');
  const url = await until('the inspector', () => {
    const line = sidecar.log.findLast((text) => text.includes('Debugger listening on ws://'));
    return line?.slice(line.indexOf('ws://'));
  });
  const socket = new WebSocket(url);
  await once(socket, 'open');
  for (const [id, method] of ['HeapProfiler.enable', 'HeapProfiler.collectGarbage'].entries()) {
    const answer = once(socket, 'message');
    socket.send(JSON.stringify({ id, method }));
    await answer;
  }
  socket.close();
  return residentMb(sidecar.pid);
}
