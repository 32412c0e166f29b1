import { identityRows } from './reuse-identity.ts';
import type { Row } from './reuse-matrix.ts';
import { proofRows } from './reuse-proofs.ts';
import { tokenRows } from './reuse-tokens.ts';

/** What a thief may hold, the weakest first. */
export const rows: readonly Row[] = [
  identityRows.declaredRow,
  tokenRows.bearerRow,
  tokenRows.unboundRow,
  tokenRows.forwardedRow,
  proofRows.keyRow,
  identityRows.jwtSvidRow,
  tokenRows.taskSvidRow,
  tokenRows.certificateRow,
  tokenRows.nameRow,
  tokenRows.chainRow,
  proofRows.dpopRow,
  proofRows.wptRow,
  proofRows.capturedRow,
  identityRows.certificateRow,
  identityRows.keyRow,
];
