import type { Api } from './model.ts';
import type { ApiEntry } from './schema.ts';

/**
 * The scopes that hold where an api states none: those of the innermost api around it, else of the host. `around` begins
 * with the most specific.
 */
export function scopesAround(around: readonly Api[], host: readonly string[]): readonly string[] {
  return around[0]?.asks ?? host;
}

/** Whether more tokens open the api than open what is around it: it asks for no scope, or for others besides. */
export function loosensScopes(stated: readonly string[] | undefined, outer: readonly string[]): boolean {
  if (stated === undefined || outer.length === 0) return false;
  if (stated.length === 0) return true;
  return outer.every((scope) => stated.includes(scope)) && stated.some((scope) => !outer.includes(scope));
}

const lowerings = [
  ['sensitivity', 'whose sensitivity is lowered'],
  ['scopes', 'whose scopes are loosened'],
  ['effect', 'which only reads within what writes'],
] as const;

/**
 * What an api that lies in a lowered one takes over from it without a word, with what to do: `loosens: true` is said of one
 * api, and not of those that are nested in it later.
 */
export function silentlyLowered(entry: ApiEntry, around: readonly Api[]): readonly string[] {
  return lowerings.flatMap(([key, why]) => {
    const outer = entry[key] === undefined ? around.find((api) => api.lowered[key]) : undefined;
    return outer === undefined ? [] : `lies in '${outer.name}', ${why}; state '${key}' here too`;
  });
}
