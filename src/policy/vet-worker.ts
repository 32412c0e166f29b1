import { parentPort, workerData } from 'node:worker_threads';
import { newInstance } from './engine.ts';
import type { Sources } from './sources.ts';
import { vet } from './vet.ts';

parentPort?.postMessage(vet(workerData as Sources, newInstance()));
