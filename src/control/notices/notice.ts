import { hash } from 'node:crypto';

/** What people are told of, as `type` has it. */
export type NoticeType = 'approval.requested' | 'approval.granted' | 'break_glass.used' | 'guardrail.expired';

/** What a notice is about: thin, and nothing that a caller wrote beside its own name. */
export interface NoticeData {
  /** Of the request for an approval, or of the guardrail. */
  readonly id: string;
  readonly approvals?: readonly string[];
  readonly host?: string;
  /** A SPIFFE ID. */
  readonly caller?: string;
  readonly sensitivity?: string | null;
  /** Until when it can be granted, or is good for: ISO 8601. */
  readonly expires?: string;
}

/** Something that people are told of. Times are milliseconds since the epoch. */
export interface Notice {
  /** The same in every process and for every attempt: what receivers tell a repetition by. */
  readonly id: string;
  readonly type: NoticeType;
  readonly atMs: number;
  /** It is of no use from then on. */
  readonly untilMs: number;
  readonly data: NoticeData;
}

/** Whoever can write the store can ask for an approval, by names of any length. */
const MOST_NAMES = 16;
const MOST_CHARACTERS = 256;
const MOST_CALLER = 2048;

/** A notice; `told` tells it from all others of its type. */
export function noticeOf(
  type: NoticeType,
  told: readonly (string | number)[],
  times: Pick<Notice, 'atMs' | 'untilMs'>,
  data: NoticeData,
): Notice {
  const id = `msg_${hash('sha256', JSON.stringify([type, ...told]), 'base64url')}`;
  return { id, type, ...times, data: bounded(data) };
}

function bounded({ id, approvals, host, caller, sensitivity, ...rest }: NoticeData): NoticeData {
  return {
    id: cut(id),
    ...(approvals === undefined ? {} : { approvals: approvals.slice(0, MOST_NAMES).map((name) => cut(name)) }),
    ...(host === undefined ? {} : { host: cut(host) }),
    ...(caller === undefined ? {} : { caller: cut(caller, MOST_CALLER) }),
    ...(sensitivity === undefined ? {} : { sensitivity: sensitivity === null ? null : cut(sensitivity) }),
    ...rest,
  };
}

const cut = (text: string, most = MOST_CHARACTERS): string =>
  (text.length <= most ? text : `${text.slice(0, most)}…`).toWellFormed();
