import { corporaDir, hasCorpus } from '../support/corpora.ts';
import { withoutRefusals } from './mutants.ts';
import { root, runMutation } from './run.ts';

/**
 * Does each refusal of the certificate validator have a test? In a copy of the sources, one refusal after another is
 * deleted; the tests must notice.
 */

/** The sources that stand between a text from Envoy and a verified SVID, and between a file and a bundle. */
const sources = [
  'src/spiffe-id.ts',
  'src/identity/der.ts',
  'src/identity/der-time.ts',
  'src/identity/algorithms.ts',
  'src/identity/names.ts',
  'src/identity/names-constraints.ts',
  'src/identity/certificate.ts',
  'src/identity/certificate-extensions.ts',
  'src/identity/certificate-pem.ts',
  'src/identity/path.ts',
  'src/identity/x509-svid.ts',
  'src/identity/svid-cache.ts',
  'src/identity/bundle.ts',
  'src/identity/bundle-document.ts',
];

/** All that may notice, the quick ones first. */
const tests = [
  'src/spiffe-id.test.ts',
  'src/identity/der.test.ts',
  'src/identity/certificate-pem.test.ts',
  'src/identity/names-constraints.test.ts',
  'src/identity/bundle-document.test.ts',
  'src/identity/bundle-source.test.ts',
  'src/identity/svid-cache.test.ts',
  'src/identity/x509-svid.test.ts',
  'src/identity/path.test.ts',
  'src/identity/certificate.test.ts',
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
