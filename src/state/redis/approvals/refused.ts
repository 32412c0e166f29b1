import { type DecideResult, MAX_APPROVAL_BYTES, MAX_APPROVALS } from '../../approvals/book.ts';
import { type Unwritten, unwritten } from '../writer.ts';

/** As scripts get them. */
export const BOUNDS = [String(MAX_APPROVALS), String(MAX_APPROVAL_BYTES)] as const;

export const UNSIGNED: Extract<DecideResult, { readonly result: 'unsigned' }> = {
  result: 'unsigned',
  detail: 'a grant must be signed, and there is no control.key here',
};

/** What the store answered instead of taking an order. */
export const refusedBy = (word: string | undefined): Unwritten =>
  unwritten(word, `${MAX_APPROVALS} requests, or ${MAX_APPROVAL_BYTES} bytes of them`);
