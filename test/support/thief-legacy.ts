import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newApiKey } from '../../src/base/secrets/api-key.ts';
import { type CertificateParts, type Issued, TestCa } from './ca.ts';
import { PAYMENTS, workload } from './estate.ts';
import { KEY_HEADER, keyEntry } from './legacy.ts';

/** The account whose credentials are stolen; it calls from this machine's own address, and from no other one. */
export const ERP = workload('/legacy/erp');
export const ITS_NETWORK = '127.0.0.1';
/** Where the thief is: no network of the account. */
export const ELSEWHERE = '127.0.0.2';
const AUTHORITY = 'erp-ca';
const DNS_NAME = 'erp.legacy.example';

/** What a legacy account may show: API keys, and certificates of an authority of its own. */
export class ThiefLegacy {
  readonly key = newApiKey();
  /** Past the day by which it was to be rotated. */
  readonly endedKey = newApiKey();
  readonly ca = TestCa.root('legacy.example', { subject: 'legacy root', uris: [] });
  readonly certificate = this.like();

  /** A certificate like that of the account, with one thing changed. */
  like(parts: CertificateParts = {}, ca: TestCa = this.ca): Issued {
    return ca.issue({ subject: 'erp', dns: [DNS_NAME], ...parts });
  }

  /** What the inventory holds of the account. */
  entry() {
    return {
      networks: ['10.2.0.0/16', `${ITS_NETWORK}/32`],
      legacy: {
        hosts: [PAYMENTS],
        keys: [keyEntry(this.key, 30, 30), keyEntry(this.endedKey, 60, -1)],
        certificates: [{ authority: AUTHORITY, dnsName: DNS_NAME }],
      },
    };
  }

  /** The section `identity.legacy`, and its file. */
  configure(dir: string): object {
    const file = `${AUTHORITY}.pem`;
    writeFileSync(join(dir, file), this.ca.certificate.pem);
    return { keyHeader: KEY_HEADER, authorities: [{ name: AUTHORITY, file: `./${file}` }] };
  }
}
