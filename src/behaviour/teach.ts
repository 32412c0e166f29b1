import { type Baseline, CEILINGS, place, sets, sumPlans, WEEK_HOURS } from './baseline.ts';
import { mergeSketch, SKETCH_BUCKETS } from './sketch.ts';

/** What others know counts half of what a workload learns itself. */
const WEIGHT = 0.5;

/** Gives a baseline that knows nothing what others know: ceilings, apis and hours, but neither networks nor what is going on. */
export function teach(pupil: Baseline, teachers: readonly Baseline[]): void {
  const share = WEIGHT / teachers.length;
  for (const teacher of teachers) {
    for (let at = 0; at < CEILINGS; at++) {
      const from = teacher.sketch + at * SKETCH_BUCKETS;
      mergeSketch(pupil.slab.sketches, pupil.sketch + at * SKETCH_BUCKETS, teacher.slab.sketches, from, share);
      pupil.set(place.ceilings + at, Math.max(pupil.get(place.ceilings + at), teacher.get(place.ceilings + at)));
    }
    const { bits } = pupil.slab;
    for (const set of [sets.trusted, sets.trustedBefore])
      for (let word = 0; word < set.words; word++) {
        const to = pupil.bit + sets.trusted.at + word;
        bits[to] = bits[to]! | teacher.slab.bits[teacher.bit + set.at + word]!;
      }
    for (let hour = 0; hour < WEEK_HOURS; hour++) {
      const more = Math.floor(teacher.slab.hours[teacher.hour + hour]! * share);
      pupil.slab.hours[pupil.hour + hour] = Math.min(0xffff, pupil.slab.hours[pupil.hour + hour]! + more);
      pupil.set(place.inHours, pupil.get(place.inHours) + more);
    }
    for (const { at } of Object.values(sumPlans)) pupil.set(at, pupil.get(at) + teacher.get(at) / teachers.length);
  }
  pupil.set(place.fromGroup, 1);
}
