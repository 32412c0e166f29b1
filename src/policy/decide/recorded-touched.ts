import { z } from 'zod';
import { sensitivities } from '../../inventory/schema.ts';
import type { Touched } from '../../state/bounded/touched.ts';
import type { TouchedFacts } from './touched.ts';

const opened = z.object({
  sensitivity: z.enum(sensitivities),
  apis: z.union([z.literal('all'), z.array(z.string())]),
});
type Opened = z.output<typeof opened>;

/** What an audit line holds of what was opened before: of the chain, and of the task; null where it did not decide. */
export const recordedTouchedShape = opened.extend({ task: opened }).nullable().default(null);

/** What was opened before, as an audit line holds it, apis sorted. */
export const recordedTouched = ({ chain, task }: TouchedFacts) => ({ ...openedOf(chain), task: openedOf(task) });

const openedOf = ({ sensitivity, apis }: Touched): Opened => ({
  sensitivity: sensitivities[sensitivity] ?? 'restricted',
  apis: apis === 'all' ? apis : [...apis].sort(),
});
