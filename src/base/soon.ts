import { Refusal } from './outcome.ts';

/**
 * What is there, or will be. Most checks have nothing to wait for, since what they need is remembered; a promise for each
 * of their stages would be a third of what they cost. So a stage that may wait gives one of these, and goes on by `after`.
 */
export type Soon<T> = T | Promise<T>;

/** Goes on with a value: at once where it is there. What `then` throws is thrown, or rejects, alike. */
export function after<T, R>(value: Soon<T>, then: (value: T) => Soon<R>): Soon<R> {
  return value instanceof Promise ? value.then(then) : then(value);
}

/** The same, where a refusal ends the way. */
export function afterGood<T, R>(value: Soon<T | Refusal>, then: (value: T) => Soon<R>): Soon<R | Refusal> {
  return after(value, (good) => (good instanceof Refusal ? good : then(good)));
}
