import { chainRows } from './reuse-chains.ts';
import { identityRows } from './reuse-identity.ts';
import { legacyRows } from './reuse-legacy.ts';
import type { Row } from './reuse-matrix.ts';
import { proofRows } from './reuse-proofs.ts';
import { tokenRows } from './reuse-tokens.ts';
import { wptRows } from './reuse-wpt.ts';

/** What a thief may hold, the weakest first. */
export const rows: readonly Row[] = [
  identityRows.declaredRow,
  legacyRows.keyRow,
  legacyRows.certificateRow,
  tokenRows.bearerRow,
  tokenRows.unboundRow,
  chainRows.forwardedRow,
  proofRows.keyRow,
  identityRows.jwtSvidRow,
  tokenRows.taskSvidRow,
  tokenRows.certificateRow,
  tokenRows.nameRow,
  chainRows.chainRow,
  proofRows.dpopRow,
  wptRows.wptRow,
  wptRows.capturedRow,
  identityRows.certificateRow,
  identityRows.keyRow,
];
