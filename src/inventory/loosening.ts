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

/**
 * What an api that lies in a lowered one takes over from it without a word, with what to do: `loosens: true` is said of one
 * api, and not of those that are nested in it later.
 */
export function silentlyLowered(entry: ApiEntry, around: readonly Api[]): readonly [key: string, message: string][] {
  const found: [string, string][] = [];
  const sensitivity = around.find((api) => api.lowered.sensitivity);
  if (sensitivity !== undefined && entry.sensitivity === undefined) {
    found.push(['name', `lies in '${sensitivity.name}', whose sensitivity is lowered; state 'sensitivity' here too`]);
  }
  const scopes = around.find((api) => api.lowered.scopes);
  if (scopes !== undefined && entry.scopes === undefined) {
    found.push(['name', `lies in '${scopes.name}', whose scopes are loosened; state 'scopes' here too`]);
  }
  const effect = around.find((api) => api.lowered.effect);
  if (effect !== undefined && entry.effect === undefined) {
    found.push(['name', `lies in '${effect.name}', which only reads within what writes; state 'effect' here too`]);
  }
  return found;
}
