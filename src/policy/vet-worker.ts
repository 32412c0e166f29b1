import { parentPort, workerData } from 'node:worker_threads';
import { loadInventory } from '../inventory/load.ts';
import type { Problem } from '../inventory/problem.ts';
import { newInstance } from './engine.ts';
import type { Judged } from './load.ts';
import type { Sources } from './sources.ts';
import { vet } from './vet.ts';

parentPort?.postMessage(judged(workerData as Sources));

/** What kills this instance would have killed the serving one: that is a verdict too. */
function judged(sources: Sources): Judged | Problem[] {
  try {
    const vetted = vet(sources, newInstance());
    if (Array.isArray(vetted)) return vetted;
    const ownTrustDomains = new Set(sources.settings.ownTrustDomains);
    const inventory = loadInventory(sources.inventory.text, sources.inventory.file, { ownTrustDomains });
    return Array.isArray(inventory) ? inventory : { ...vetted, content: inventory.content };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return [{ file: 'policies', line: 1, column: 1, message: `they break the engine (${why}); make them simpler` }];
  }
}
