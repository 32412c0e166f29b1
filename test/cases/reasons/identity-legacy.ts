import { apiKeys, erpByKey, legacyCa, legacyCertificates } from '../../support/legacy.ts';
import type { Ask } from '../../support/world.ts';
import { EXPORT } from '../../support/world-asks.ts';
import type { Family, Pair } from './case.ts';

/** The ERP by its key, beside what differs in one thing. */
const beside = (bad: Ask): Pair => ({ world: 'legacy', good: () => erpByKey(), bad: () => bad });

export const identityLegacy = {
  identity_key_malformed: beside(erpByKey(apiKeys.erp.slice(0, -1))),
  identity_key_unknown: beside(erpByKey(apiKeys.unknown)),
  identity_key_not_yet_valid: beside(erpByKey(apiKeys.crmNext)),
  identity_key_expired: beside(erpByKey(apiKeys.crmOld)),
  identity_legacy_unknown: {
    world: 'legacy',
    good: () => ({ svid: legacyCertificates.erp, path: EXPORT }),
    bad: () => ({ svid: legacyCa.issue({ subject: 'erp' }), path: EXPORT }),
  },
  identity_legacy_host: beside(
    erpByKey(apiKeys.erp, { host: 'rates.partner.example', path: '/', route: { host: 'rates.partner.example' } }),
  ),
  identity_legacy_network: beside(erpByKey(apiKeys.erp, { address: '10.3.0.9' })),
} as const satisfies Partial<Family<'identity'>>;
