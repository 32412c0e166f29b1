import { MAX_PROBLEMS } from '../source/problem.ts';
import { type CheckCode, checks, type Effect } from './checks.ts';
import type { Message } from './message.ts';

/** Where in Envoy's configuration something is, by the names that Envoy gives. Numbers of chains and routes count from 1. */
export interface EnvoyPlace {
  readonly listener?: string;
  readonly chain?: number;
  readonly filter?: string;
  readonly virtualHost?: string;
  readonly route?: number;
  readonly cluster?: string;
}

/** One thing that is wrong with Envoy's configuration. */
export interface Finding {
  readonly code: CheckCode;
  readonly effect: Effect;
  readonly place: EnvoyPlace;
  readonly file: string;
  /** Counted from 1; null in a dump. */
  readonly line: number | null;
  readonly column: number | null;
  /** The way to the field from the top of the file. */
  readonly path: string;
  readonly message: string;
  readonly write: string;
  readonly reason: string;
}

/** What of a finding its code does not say. */
interface FindingParts {
  /** The field of the message that is at fault; left out, the message itself. */
  readonly field?: string;
  /** What is there now, after the message. */
  readonly detail?: string;
  /** What to write, where it is known better than the code knows it. */
  readonly write?: string;
}

/** Collects findings, at most a thousand. */
export class EnvoyFindings {
  readonly all: Finding[] = [];

  add(code: CheckCode, at: Message, place: EnvoyPlace, { field, detail, write }: FindingParts = {}): void {
    if (this.all.length >= MAX_PROBLEMS) return;
    const { effect, message, write: usual, reason } = checks[code];
    const path = field === undefined ? at.path : [...at.path, field];
    const position = at.source.position(path);
    this.all.push({
      code,
      effect,
      place,
      file: at.source.name,
      line: position?.line ?? null,
      column: position?.column ?? null,
      path: path.map(String).join('.'),
      message: detail === undefined ? message : `${message} (${detail})`,
      write: write ?? usual,
      reason,
    });
  }
}

/** A place in words. */
export function placeText({ listener, chain, filter, virtualHost, route, cluster }: EnvoyPlace): string {
  const parts = [
    ['listener', listener],
    ['filter chain', chain],
    ['filter', filter],
    ['virtual host', virtualHost],
    ['route', route],
    ['cluster', cluster],
  ] as const;
  const text = parts.flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`])).join(', ');
  return text === '' ? 'this Envoy' : text;
}
