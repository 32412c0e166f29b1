import type { KeyObject } from 'node:crypto';
import { argsOfApproval } from '../../approvals/approval-mirror.ts';
import type { ReviewOrder, ReviewResult } from '../../approvals/book.ts';
import { reviewedGlass } from '../../approvals/break-glass.ts';
import type { GlassMirror } from '../../approvals/glass-mirror.ts';
import { reviewTexts } from '../../approvals/glass-record.ts';
import { RESTORE_MARKED } from '../marked-scripts.ts';
import { type StoreWriter, unavailable } from '../writer.ts';
import { BOUNDS, refusedBy, UNSIGNED } from './refused.ts';

interface ReviewStands {
  readonly glass: GlassMirror;
  readonly writer: StoreWriter;
  readonly namespace: string;
  readonly signing: KeyObject | null;
  /** Takes what the store holds now. */
  readonly take: (record: string, mark: string | null) => Promise<void>;
}

/** Writes a review, or the beginning of the record of break-glass, signed. Never rejects. */
export async function writeReview(
  order: ReviewOrder,
  { glass, writer, namespace, signing, take }: ReviewStands,
  nowMs: number,
): Promise<ReviewResult> {
  const reviewed = reviewedGlass(order, glass.table, nowMs);
  if (reviewed !== null && 'result' in reviewed) return reviewed;
  if (signing === null) return UNSIGNED;
  const { id, by, reason } = order;
  const known = reviewed === null ? null : glass.recordOf(reviewed);
  const texts = reviewTexts(namespace, id, known, { by, atMs: nowMs, reason }, signing);
  const written = await writer.write(RESTORE_MARKED, [...BOUNDS, ...argsOfApproval(texts)]);
  if ('result' in written) return written;
  if (written.words[0] !== 'done') return refusedBy(written.words[0]);
  await take(texts.record, texts.mark || null);
  const broken = reviewed === null ? null : glass.table.find(id);
  const isKnown = reviewed === null ? glass.table.beginnings.some((one) => one.by === by) : broken?.review != null;
  if (!isKnown) return unavailable('no trusted key signed what was written');
  const confirmed = await writer.confirmed(written.link, 'stored', nowMs);
  return 'detail' in confirmed ? confirmed : { ...confirmed, result: 'stored', broken };
}
