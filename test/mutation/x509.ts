import { corporaDir, hasCorpus } from '../support/corpora.ts';
import { withoutRefusals } from './mutants.ts';
import { root, runMutation } from './run.ts';

/**
 * Does each refusal of the certificate validator have a test? In a copy of the sources, one refusal after another is
 * deleted; the tests must notice.
 */

/** The sources that stand between a text from Envoy and a verified SVID, and between a file and a bundle. */
const sources = [
  'src/base/spiffe-id.ts',
  'src/x509/der.ts',
  'src/x509/der-time.ts',
  'src/x509/algorithms.ts',
  'src/x509/names.ts',
  'src/x509/names-constraints.ts',
  'src/x509/certificate.ts',
  'src/x509/certificate-extensions.ts',
  'src/x509/certificate-pem.ts',
  'src/x509/path.ts',
  'src/trust/x509-svid.ts',
  'src/trust/svid-cache.ts',
  'src/trust/bundle.ts',
  'src/trust/bundle-document.ts',
];

/** All that may notice, the quick ones first. */
const tests = [
  'src/base/spiffe-id.test.ts',
  'src/x509/der.test.ts',
  'src/x509/certificate-pem.test.ts',
  'src/x509/names-constraints.test.ts',
  'src/trust/bundle-document.test.ts',
  'src/trust/bundle-source.test.ts',
  'src/trust/svid-cache.test.ts',
  'src/trust/x509-svid.test.ts',
  'src/x509/path.test.ts',
  'src/x509/certificate.test.ts',
  'test/mutation/x509-corpora.ts',
];

if (['spiffe', 'x509-limbo', 'x509-traps'].every(hasCorpus)) {
  process.exitCode = await runMutation({
    name: 'x509',
    mutants: sources.flatMap((file) => withoutRefusals(root, file)),
    tests,
    near: (file) => tests.filter((test) => test === file.replace(/\.ts$/, '.test.ts')),
    explained: {},
  });
} else {
  process.stderr.write(`SKIPPED: the corpora are not at ${corporaDir}\n`);
}
