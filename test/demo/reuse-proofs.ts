import { CRM, ids, places, type ThiefEstate } from '../support/thief-estate.ts';
import { AUDIENCES, abouts, type Headers, ISSUERS } from '../support/thief-tokens.ts';
import type { Attempt } from '../support/thief-way.ts';
import { otherSignature, thumbprint } from '../support/tokens.ts';
import { aboutAnother, bearer, keptFrom, PROOF, said } from './reuse-lease.ts';
import { type Cell, type Past, type Play, permitted, type Row, refused, refusedAfter, works } from './reuse-matrix.ts';
import { taskCells } from './reuse-tasks.ts';

/** billing-agent at a restricted resource, with these headers. */
export const withHeaders =
  (headers: (estate: ThiefEstate) => Headers, more: Partial<Attempt> = {}): Play =>
  (estate) => ({ as: estate.svids.agent, path: places.payout, headers: headers(estate), ...more });

export const by =
  (person: 'thief' | 'tools', play: Play): Play =>
  (estate) => ({ ...play(estate), as: estate.svids[person] });

/** The very request was made before, in the form that `first` gives it. */
export const used =
  (play: Play, first: (attempt: Attempt) => Attempt = (attempt) => attempt): Past =>
  async (estate, use) => {
    const attempt = play(estate);
    permitted(await use(first(attempt)));
    return () => attempt;
  };

/** The other valid form of the ECDSA signature of a proof stands in the place of the one that was used. */
export const flipped =
  (name: string) =>
  (attempt: Attempt): Attempt => {
    const headers = { ...attempt.headers, [name]: otherSignature(String(attempt.headers?.[name])) };
    return { ...attempt, headers };
  };

/** A proof that was used before. After a restart nobody knows that, and none from before it is taken. */
const usedDpop = (how: string, past: Past): Cell => refusedAfter(how, past, 'task_proof_replayed', 'task_proof_nonce');

type DpopChange = Parameters<ThiefEstate['tokens']['withDpop']>[2];
const dpop =
  (change: DpopChange = {}, path: string = places.payout) =>
  ({ tokens }: ThiefEstate): Headers =>
    tokens.withDpop(tokens.keyBound(ids.agent), path, change);

const aboutPayout = (path: string): Play =>
  withHeaders(({ tokens }) => tokens.withDpop(tokens.keyBound(ids.agent, { about: abouts.payout }), path), { path });

const dpopRow: Row = {
  name: 'DPoP-bound',
  what: 'An access token with `cnf.jkt` that names billing-agent, and a captured DPoP proof.',
  control: { how: 'billing-agent reads a restricted resource', play: withHeaders(dpop()) },
  cells: {
    ...taskCells([ISSUERS.as], (estate, id) => {
      const token = estate.tokens.keyBound(ids.agent, { id });
      return () => withHeaders(({ tokens }) => tokens.withDpop(token, places.payout))(estate);
    }),
    'another workload': refused(
      'by the thief, before it was used',
      by('thief', withHeaders(dpop())),
      'task_of_another',
    ),
    'after expiry': refused(
      'the token holds, the proof is old',
      withHeaders(dpop({ ended: true })),
      'task_proof_expired',
    ),
    'other purpose': refused(
      'with a proof for a resource that asks for issue-refunds',
      withHeaders(dpop({}, places.claims), { path: places.claims }),
      'policy_no_permit',
    ),
    'other method': refused('POST with a proof for GET', withHeaders(dpop(), { method: 'POST' }), 'task_proof_method'),
    'other resource': aboutAnother(
      'of a task about payout 7, used at payout 8 with a new proof by its holder',
      aboutPayout(places.payout),
      aboutPayout(places.otherPayout),
    ),
    'other host': refused(
      'at the other host',
      withHeaders(dpop(), { host: CRM, path: places.ticket }),
      'task_token_audience',
    ),
    'other audience': refused(
      'the token was issued for another audience',
      withHeaders(({ tokens }) => {
        const token = tokens.keyBound(ids.agent, { claims: { aud: AUDIENCES.crm } });
        return tokens.withDpop(token, places.payout);
      }),
      'task_token_audience',
    ),
    'replayed as it was': usedDpop('after it was used', used(withHeaders(dpop()))),
    'respelled signature': usedDpop(
      'the proof, used already, with s for n − s',
      used(withHeaders(dpop()), flipped('dpop')),
    ),
    'one hop further': refused('by the tool server', by('tools', withHeaders(dpop())), 'task_of_another'),
    'invented chain': refused(
      'another token under the proof: one of a chain',
      withHeaders((estate) => {
        const act = { sub: ids.agent, act: { sub: ids.orchestrator } };
        const token = estate.tokens.keyBound(ids.agent, { claims: { act } });
        return { ...dpop()(estate), authorization: `DPoP ${token}` };
      }),
      'task_proof_token',
    ),
    'forged header beside': refused(
      'plain headers declare another task',
      withHeaders((estate) => ({ ...dpop()(estate), ...said('t-43') })),
      'task_conflict',
    ),
    'thief’s own proof': refused(
      'a proof of the thief’s key',
      withHeaders((estate) => dpop({ key: estate.tokens.thief })(estate)),
      'task_proof_key',
    ),
    'proof left out': refused(
      'the token as a mere bearer token',
      withHeaders(({ tokens }) => bearer(tokens.keyBound(ids.agent))),
      'task_token_binding',
    ),
  },
};

const keyRow: Row = {
  name: 'key-bound, no name',
  what: 'The same token without a name: a key alone binds nobody, since whoever captures a request holds the proof too.',
  control: { how: 'billing-agent reads an internal resource', play: keyAlone('agent', places.exports) },
  cells: {
    ...taskCells([ISSUERS.as], (estate, id) => {
      const token = tokenOfKey(estate, id);
      return () =>
        withHeaders(({ tokens }) => tokens.withDpop(token, places.exports), { path: places.exports })(estate);
    }),
    'another workload': works(
      'by the thief, before it was used',
      keyAlone('thief', places.exports),
      keptFrom('the same at a confidential resource', keyAlone('thief', places.invoice), PROOF),
    ),
    'after expiry': refused(
      'the token holds, the proof is old',
      keyAlone('agent', places.exports, { ended: true }),
      'task_proof_expired',
    ),
    'other method': refused(
      'POST with a proof for GET',
      (estate) => ({ ...keyAlone('agent', places.claims)(estate), method: 'POST' }),
      'task_proof_method',
    ),
    'other resource': refused(
      'with a proof for another path',
      (estate) => ({ ...keyAlone('agent', places.exports)(estate), path: places.claims }),
      'task_proof_target',
    ),
    'replayed as it was': usedDpop('after it was used', used(keyAlone('agent', places.exports))),
    'one hop further': works(
      'by the tool server',
      keyAlone('tools', places.exports),
      keptFrom('the same at a confidential resource', keyAlone('tools', places.invoice), PROOF),
    ),
    'thief’s own proof': refused(
      'a proof of the thief’s key',
      (estate) => keyAlone('agent', places.exports, { key: estate.tokens.thief })(estate),
      'task_proof_key',
    ),
    'proof left out': refused(
      'a token with `cnf.jwk`, as a mere bearer token',
      ({ tokens, svids }) => {
        const token = tokens.access('console', { claims: { cnf: { jwk: tokens.holder.publicJwk } } });
        return { as: svids.agent, path: places.exports, headers: bearer(token) };
      },
      'task_token_binding',
    ),
  },
};

function tokenOfKey({ tokens }: ThiefEstate, id = 't-42'): string {
  return tokens.access('console', { id, claims: { cnf: { jkt: thumbprint(tokens.holder) } } });
}

function keyAlone(person: 'agent' | 'thief' | 'tools', path: string, change: DpopChange = {}): Play {
  return (estate) => ({
    as: estate.svids[person],
    path,
    headers: estate.tokens.withDpop(tokenOfKey(estate), path, change),
  });
}

export const proofRows = { dpopRow, keyRow };
