import * as z from 'zod';
import { route } from '../http/route.ts';

const shown = z.object({
  version: z.string().describe('Of this program.'),
  ready: z.boolean().describe('Whether this process can do all that it is for.'),
  missing: z.array(z.string()).describe('What keeps it from being ready, for a person.'),
  revision: z.string().nullable().describe('Of the policies and the inventory in force.'),
  parts: z.record(z.string(), z.unknown()).describe('The parts of the process, as `/status` shows them.'),
});

/** `GET /state`: what this process knows of itself. */
export const stateRoute = route({
  name: 'state',
  method: 'GET',
  path: '/state',
  summary: 'What this process knows of itself',
  action: 'view',
  parameters: z.strictObject({}),
  body: null,
  answers: { 200: { what: 'The state of the process', schema: shown } },
  problems: [],
  idempotent: false,
  subject: () => ({ resource: { kind: 'everything' } }),
  prepare: async (_, parts) => ({ about: {}, run: async () => ({ status: 200, body: parts.state() }) }),
});
