import { Fault } from '../../base/fault.ts';
import type { ControlResource } from '../../policy/control/question.ts';
import type { Activity, DecisionPlaces } from '../../state/activity/model.ts';
import type { ApprovalBook, ApprovalRequest } from '../../state/approvals/book.ts';
import { keptUntil, stateOfRequest } from '../../state/approvals/request-state.ts';
import type { TaskLookup } from '../../state/tasks/registry.ts';
import type { EventSource } from '../events/feed.ts';
import { controlApprovals, shownApproval, shownRequests } from './approvals/view.ts';
import { resourceOfCaller, shownDecision } from './decisions.ts';

/** Decisions as they are kept for lists. While the store gives no answer nothing is told, and then all that came meanwhile. */
export function decisionEvents(activity: Pick<Activity, 'since'>): EventSource {
  let places: DecisionPlaces | null = null;
  return async () => {
    const found = await activity.since(places);
    if (found instanceof Fault) return { events: [], isWhole: true };
    places = found.places;
    const resources = new Map<string | null, () => readonly ControlResource[]>();
    const aboutOf = (caller: string | null) => {
      const about = [resourceOfCaller(caller)];
      return () => about;
    };
    const events = found.items.map((item) => {
      const { caller } = item;
      const about = resources.get(caller) ?? aboutOf(caller);
      resources.set(caller, about);
      return { kind: 'decisions' as const, about, data: JSON.stringify(shownDecision(item)) };
    });
    return { events, isWhole: found.isWhole };
  };
}

/** Requests for approvals, each whenever something became of it. Null: none are asked for here. `now`: since the epoch. */
export function approvalEvents(
  book: ApprovalBook | null,
  tasks: Pick<TaskLookup, 'find'>,
  now: () => number,
): EventSource {
  let known: ReadonlyMap<string, string> | null = null;
  return async () => {
    const nowMs = now();
    const seen = new Map<string, string>();
    const changed: ApprovalRequest[] = [];
    for (const request of book === null ? [] : shownRequests(book)) {
      const broken = book!.glass.find(request.id);
      if (broken === null && keptUntil(request) <= nowMs) continue;
      const state = `${stateOfRequest(request, nowMs)} ${request.consents.length} ${broken?.review?.atMs}`;
      seen.set(request.id, state);
      if (known !== null && known.get(request.id) !== state) changed.push(request);
    }
    known = seen;
    const events = changed.map((request) => ({
      kind: 'approvals' as const,
      about: () => controlApprovals(request, tasks),
      data: JSON.stringify(shownApproval(request, nowMs, book!)),
    }));
    return { events, isWhole: true };
  };
}
