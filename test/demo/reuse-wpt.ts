import { CRM, ids, places, type ThiefEstate } from '../support/thief-estate.ts';
import { abouts, type Headers, ISSUERS, uriOf } from '../support/thief-tokens.ts';
import { otherSignature } from '../support/tokens.ts';
import { aboutAnother, bearer, keptFrom, PROOF, said } from './reuse-lease.ts';
import { type Cell, type Past, type Play, type Row, refused, refusedAfter, works } from './reuse-matrix.ts';
import { by, flipped, used, withHeaders } from './reuse-proofs.ts';
import { taskCells } from './reuse-tasks.ts';

type WptChange = Parameters<ThiefEstate['tokens']['withWpt']>[3];
const wpt =
  (change: WptChange = {}, path: string = places.payout) =>
  ({ tokens }: ThiefEstate): Headers =>
    tokens.withWpt(ids.agent, { txnToken: tokens.txn(ids.agent) }, path, change);

/** As `usedDpop`; WIMSE has no nonces. */
const usedWpt = (how: string, past: Past): Cell =>
  refusedAfter(how, past, 'task_wpt_replayed', 'task_wpt_before_start');

const aboutPayout = (path: string): Play =>
  withHeaders(
    ({ tokens }) => tokens.withWpt(ids.agent, { txnToken: tokens.txn(ids.agent, { about: abouts.payout }) }, path),
    { path },
  );

const wptRow: Row = {
  name: 'WPT-protected',
  what: 'A Transaction Token of billing-agent with its WIT and a captured WPT.',
  control: { how: 'billing-agent reads a restricted resource', play: withHeaders(wpt()) },
  cells: {
    ...taskCells([ISSUERS.tts], (estate, id) => {
      const txnToken = estate.tokens.txn(ids.agent, { id });
      return () => withHeaders(({ tokens }) => tokens.withWpt(ids.agent, { txnToken }, places.payout))(estate);
    }),
    'another workload': refused(
      'by the thief, before it was used',
      by('thief', withHeaders(wpt())),
      'task_wit_of_another',
    ),
    'after expiry': refused('the token holds, the proof ended', withHeaders(wpt({ ended: true })), 'task_wpt_expired'),
    'other purpose': refused(
      'with a proof for a resource that asks for issue-refunds',
      withHeaders(wpt({}, places.claims), { path: places.claims }),
      'policy_no_permit',
    ),
    'other method': refused(
      'POST, which a WPT does not cover: the policies do',
      withHeaders(wpt({}, places.invoice), { method: 'POST', path: places.invoice }),
      'policy_no_permit',
    ),
    'other resource': aboutAnother(
      'of a task about payout 7, used at payout 8 with a new proof by its holder',
      aboutPayout(places.payout),
      aboutPayout(places.otherPayout),
    ),
    'other host': refused(
      'at the other host',
      withHeaders(wpt(), { host: CRM, path: places.payout }),
      'task_wpt_target',
    ),
    'other audience': refused(
      'a proof for the other host',
      withHeaders(wpt({ uri: uriOf(places.payout, CRM) })),
      'task_wpt_target',
    ),
    'replayed as it was': usedWpt('after it was used', used(withHeaders(wpt()))),
    'respelled signature': usedWpt(
      'the proof, used already, with s for n − s',
      used(withHeaders(wpt()), flipped('workload-proof-token')),
    ),
    'one hop further': refused('by the tool server', by('tools', withHeaders(wpt())), 'task_wit_of_another'),
    'invented chain': refused(
      'another token under the proof: one of a chain',
      withHeaders((estate) => ({
        ...wpt()(estate),
        'txn-token': estate.tokens.txn(ids.agent, {
          claims: { act: { sub: ids.agent, act: { sub: ids.orchestrator } } },
        }),
      })),
      'task_wpt_token',
    ),
    'forged header beside': refused(
      'an access token of the same task, which the proof does not cover',
      withHeaders((estate) => ({ ...wpt()(estate), ...bearer(estate.tokens.access(ids.agent)) })),
      'task_wpt_token',
    ),
    'thief’s own proof': refused(
      'a WPT of the thief’s key over the WIT',
      withHeaders((estate) => wpt({ signWith: estate.tokens.thief })(estate)),
      'task_wpt_signature',
    ),
    'proof left out': works(
      'the Transaction Token alone, by its holder: a bound token',
      withHeaders(({ tokens }) => ({ 'txn-token': tokens.txn(ids.agent) }), { path: places.invoice }),
      keptFrom(
        'the same at a restricted resource',
        withHeaders(({ tokens }) => ({ 'txn-token': tokens.txn(ids.agent) })),
        PROOF,
      ),
    ),
  },
};

const WIT = 'workload-identity-token';

/** The tokens of a task, and what makes the headers of a request with them and new proofs. */
function allOf(
  { tokens }: ThiefEstate,
  { ended = false, id = 't-42' }: { readonly ended?: boolean; readonly id?: string },
): () => Headers {
  const accessToken = tokens.keyBound(ids.agent, { ended, id });
  const txnToken = tokens.txn(ids.agent, { ended, id });
  return () => ({
    ...said(id),
    ...tokens.withDpop(accessToken, places.payout, { ended }),
    ...tokens.withWpt(ids.agent, { txnToken, accessToken }, places.payout, { ended }),
  });
}

const captured =
  (ended = false) =>
  (estate: ThiefEstate): Headers =>
    allOf(estate, { ended })();

const capturedRow: Row = {
  name: 'all captured headers',
  what: 'Everything that billing-agent sent: declared task, Transaction Token, DPoP-bound token, both proofs, WIT.',
  control: { how: 'billing-agent reads a restricted resource', play: withHeaders(captured()) },
  cells: {
    ...taskCells([ISSUERS.tts, ISSUERS.as], (estate, id) => {
      const headers = allOf(estate, { id });
      return () => withHeaders(headers)(estate);
    }),
    'another workload': refused(
      'by the thief, before it arrived',
      by('thief', withHeaders(captured())),
      'task_wit_of_another',
    ),
    'after expiry': refused('ten minutes later', withHeaders(captured(true)), 'task_txn_expired'),
    'other purpose': refused(
      'where issue-refunds is asked for',
      withHeaders(captured(), { path: places.claims }),
      'task_proof_target',
    ),
    'other method': refused('POST', withHeaders(captured(), { method: 'POST' }), 'task_proof_method'),
    'other resource': refused(
      'at the next payout',
      withHeaders(captured(), { path: places.otherPayout }),
      'task_proof_target',
    ),
    'other host': refused(
      'at the other host',
      withHeaders(captured(), { host: CRM, path: places.payout }),
      'task_token_audience',
    ),
    'replayed as it was': refusedAfter(
      'after it arrived',
      used(withHeaders(captured())),
      'task_proof_replayed',
      'task_proof_nonce',
    ),
    'respelled signature': refused(
      'the WIT with s for n − s, which the proof does not cover',
      withHeaders((estate) => {
        const all = captured()(estate);
        return { ...all, [WIT]: otherSignature(String(all[WIT])) };
      }),
      'task_wpt_token',
    ),
    'one hop further': refused('by the tool server', by('tools', withHeaders(captured())), 'task_wit_of_another'),
    'forged header beside': refused(
      'the declared task replaced',
      withHeaders((estate) => ({ ...captured()(estate), ...said('t-43') })),
      'task_conflict',
    ),
    'thief’s own proof': refused(
      'a DPoP proof of the thief’s key in place of the captured one',
      withHeaders((estate) => {
        const all = captured()(estate);
        const token = String(all.authorization).slice('DPoP '.length);
        return { ...all, ...estate.tokens.withDpop(token, places.payout, { key: estate.tokens.thief }) };
      }),
      'task_proof_key',
    ),
    'proof left out': refused(
      'without the DPoP proof',
      withHeaders((estate) => {
        const { dpop: _, ...others } = captured()(estate);
        return others;
      }),
      'task_proof_missing',
    ),
  },
};

export const wptRows = { wptRow, capturedRow };
