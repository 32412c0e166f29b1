import type { ControlResource } from '../../policy/control/question.ts';

export const eventKinds = ['decisions', 'approvals'] as const;
export type EventKind = (typeof eventKinds)[number];

/** What happened, as it is told. */
export interface ControlEvent {
  readonly kind: EventKind;
  /** What a viewer must be permitted to view, all of it: asked anew for each viewer. Empty: nobody may. */
  readonly about: () => readonly ControlResource[];
  /** JSON on one line. */
  readonly data: string;
}

/** What a viewer may see at one moment. */
export interface ViewerRights {
  maySee(resource: ControlResource): boolean;
}

/** Somebody who is told what happens. */
export interface Viewer {
  /** Who it is, as texts of callers are. */
  readonly by: string;
  readonly kinds: ReadonlySet<EventKind>;
  /** The id of the last event that it was told; null: it begins now. */
  readonly after: string | null;
  readonly rights: ViewerRights;
  /** Looks up again who it is and what it may; null: the stream is over for it. It is no use of a session. */
  readonly again: () => Promise<ViewerRights | null>;
}
