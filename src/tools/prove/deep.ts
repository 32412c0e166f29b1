import type { Cedar } from '../../policy/decide/engine.ts';
import { type Comparing, factTexts, opens, type Side } from './compare.ts';
import { concerns, type RequestEnvironment } from './environments.ts';
import { failureIn } from './errors.ts';
import { allowed, type Proving } from './prove.ts';
import { asPermit, type Rule } from './rules.ts';

/** What a solver tells of one policy that no list of samples can. */
export interface DeepNote {
  readonly policy: Rule;
  readonly message: string;
}

/** What is looked at: the policies of the operators among all that are in force. */
export interface DeepChecking extends Omit<Proving, 'alone'> {
  readonly own: ReadonlySet<string>;
}

/**
 * Of each own policy: whether it can fail to be evaluated, never matches a request that is asked, is a permit whose every request
 * some forbid denies, or changes nothing beside the others. Only what is proved is told, and what could not be told.
 */
export async function checkDeep(checking: DeepChecking, cedar: Cedar): Promise<readonly DeepNote[]> {
  const { permits, forbids, environments, own } = checking;
  const notes: DeepNote[] = [];
  for (const policy of [...permits, ...forbids].filter(({ id }) => own.has(id))) {
    const failure = await failureIn(policy, environments, checking, cedar);
    if (failure !== null)
      notes.push({ policy, message: `can fail to be evaluated, and the request is denied then: ${failure}` });
    const message = await idleness(policy, checking);
    if (message !== null) notes.push({ policy, message });
  }
  return notes;
}

async function idleness(policy: Rule, checking: DeepChecking): Promise<string | null> {
  const about = checking.environments.filter((environment) => concerns(policy.json, environment));
  const facts = factTexts(checking);
  const forbids = checking.forbids.map(({ text }) => text);
  const some = (texts: readonly string[]) => anywhere(about, (one) => allowed([...texts, ...facts], one, checking));
  const matches = await some([asPermit(policy)]);
  if (matches !== 'some') return matches === 'none' ? 'matches no request that is ever asked' : matches;
  if (policy.json.effect === 'permit') {
    const lives = await some([policy.text, ...forbids]);
    if (lives !== 'some') return lives === 'none' ? 'permits nothing: whatever it matches, a forbid denies' : lives;
  }
  return redundancy(policy, about, checking);
}

/** Whether a request is decided otherwise without the policy. */
async function redundancy(
  policy: Rule,
  about: readonly RequestEnvironment[],
  checking: DeepChecking,
): Promise<string | null> {
  const all: Side = { permits: checking.permits, forbids: checking.forbids };
  const without: Side = {
    permits: all.permits.filter((one) => one !== policy),
    forbids: all.forbids.filter((one) => one !== policy),
  };
  const [from, to] = policy.json.effect === 'permit' ? [without, all] : [all, without];
  const differs = await anywhere(about, async (environment) => {
    const found = await opens(environment, from, to, checking as Comparing);
    return found ?? { kind: 'none' };
  });
  if (differs === 'some') return null;
  const others =
    policy.json.effect === 'permit' ? 'other permits permit what it permits' : 'without it the same is denied';
  return differs === 'none' ? `changes nothing: ${others}` : differs;
}

type Tried =
  | { readonly kind: 'none' }
  | { readonly kind: 'call' | 'request' }
  | { readonly kind: 'unknown'; readonly why: string };

/** `some` as soon as an environment has a request, `none` where none has; otherwise why that is not known. */
async function anywhere(
  environments: readonly RequestEnvironment[],
  ask: (environment: RequestEnvironment) => Promise<Tried>,
): Promise<string> {
  let unknown: string | null = null;
  for (const environment of environments) {
    const found = await ask(environment);
    if (found.kind === 'call' || found.kind === 'request') return 'some';
    if (found.kind === 'unknown') unknown ??= `cannot be judged for ${environment.name}: ${found.why}`;
  }
  return unknown ?? 'none';
}
