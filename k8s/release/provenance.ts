import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';

/** One thing that is published. */
export interface Artifact {
  /** A file below the release's folder, or an image by its name and tag. */
  readonly name: string;
  /** SHA-256 in hex: of the file, or of the image's manifest. */
  readonly sha256: string;
}

/** What went into a release. */
export interface Material {
  readonly uri: string;
  readonly digest: Readonly<Record<string, string>>;
}

export interface Build {
  readonly version: string;
  /** The commit, in hex. */
  readonly commit: string;
  readonly artifacts: readonly Artifact[];
  readonly materials: readonly Material[];
}

const STATEMENT = 'https://in-toto.io/Statement/v1';
const PREDICATE = 'https://slsa.dev/provenance/v1';
const PAYLOAD = 'application/vnd.in-toto+json';
/** docs/releasing.md says what they are. */
const BUILD_TYPE = 'urn:cedar-ext-authz:release:v1';
const BUILDER = 'urn:cedar-ext-authz:maintainer';

/**
 * The in-toto statement of a release, with the provenance predicate of SLSA 1.0. It holds no time and no name of a machine, so that whoever
 * builds the commit again gets the same.
 */
export function provenance({ version, commit, artifacts, materials }: Build): string {
  const statement = {
    _type: STATEMENT,
    subject: artifacts.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    predicateType: PREDICATE,
    predicate: {
      buildDefinition: {
        buildType: BUILD_TYPE,
        externalParameters: { version },
        resolvedDependencies: [{ uri: 'git+cedar-ext-authz', digest: { gitCommit: commit } }, ...materials],
      },
      runDetails: { builder: { id: BUILDER } },
    },
  };
  return `${JSON.stringify(statement, null, 2)}\n`;
}

/** The Ed25519 private key of a PEM text (PKCS #8); throws what is wrong with another one. */
export function signingKey(pem: string): KeyObject {
  const key = createPrivateKey(pem);
  if (key.asymmetricKeyType !== 'ed25519') throw new Error(`the key is ${key.asymmetricKeyType}; make an Ed25519 key`);
  return key;
}

/** The statement in a signed envelope (DSSE 1.0). The id of the key is the SHA-256 of its public half (DER, SubjectPublicKeyInfo). */
export function envelope(statement: string, key: KeyObject): string {
  const payload = Buffer.from(statement);
  const signed = Buffer.concat([Buffer.from(`DSSEv1 ${PAYLOAD.length} ${PAYLOAD} ${payload.length} `), payload]);
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const signatures = [{ keyid: sha256(spki), sig: sign(null, signed, key).toString('base64') }];
  return `${JSON.stringify({ payloadType: PAYLOAD, payload: payload.toString('base64'), signatures })}\n`;
}

/** The signature of a text alone, 64 bytes: what `openssl pkeyutl -verify -rawin` checks. */
export const rawSignature = (text: string, key: KeyObject): Buffer => sign(null, Buffer.from(text), key);

export const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
