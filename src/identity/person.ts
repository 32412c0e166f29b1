import { canonicalJson } from '../base/json.ts';
import type { Proven } from '../base/proven.ts';

/** What an identity provider said of a person when that person signed in. */
export interface PersonFacts {
  /** `iss` and `sub` of the ID token: together they are the person. */
  readonly issuer: string;
  readonly subject: string;
  /** As the provider names them: never groups of the inventory. */
  readonly groups: readonly string[];
  /** How strongly the person signed in (`acr`, OpenID Connect Core section 2); null where the provider does not say. */
  readonly acr: string | null;
  /** By which methods (`amr`, RFC 8176). */
  readonly amr: readonly string[];
  /** When the person last proved itself to the provider (`auth_time`), in milliseconds since the epoch. */
  readonly signedInMs: number;
  /** For people to read, and for nothing else: whoever has an account may choose it. */
  readonly name: string | null;
}

/** A person who signed in, and whose session goes on. Holding one is the proof: only control/sign-in makes it. */
export type Person = Proven<'person', PersonFacts>;

/** The one text for a person, in records and comparisons: two people are one if and only if it is the same. */
export const personText = ({ issuer, subject }: Pick<PersonFacts, 'issuer' | 'subject'>): string =>
  canonicalJson([issuer, subject]);

/** Only for a session that goes on: control/sign-in/sessions.ts is the one caller. */
export const provenPerson = (facts: PersonFacts): Person => Object.freeze({ ...facts }) as Person;
