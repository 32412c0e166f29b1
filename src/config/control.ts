import * as s from './scalars.ts';

/** The section `control`: who may ask the control API, and whose lifts are believed. */
export const control = (folder: string) =>
  s.section({
    audience: s
      .optional(s.text())
      .describe(
        'The audience of the tokens (JWT-SVIDs, workload tokens) that prove a caller of the control API; no host may have the same one. Left out: no token is accepted',
      ),
    key: s
      .optional(s.path(folder))
      .describe(
        'PEM file of the Ed25519 private key (PKCS#8) that signs lifts for the store; only where lifts are ordered. Watched',
      ),
    trustedKeys: s
      .list(s.path(folder), 16, s.self)
      .prefault([])
      .describe(
        'PEM files of Ed25519 public keys (SPKI): a lift in the store holds if one of them signed it. Watched; without any, and without key, no lift holds',
      ),
  });
