/** A text that stands once in its file, and what is left of it. */
interface Edit {
  readonly file: string;
  readonly text: string;
  readonly left: string;
}

/** One check, deleted: in every layer that makes it. */
export interface Patch {
  readonly check: string;
  readonly edits: readonly Edit[];
}

const patch = (check: string, file: string, text: string, left: string): Patch => ({
  check,
  edits: [{ file, text, left }],
});

/** A check that two layers make, so that neither is missed alone. */
const both = (check: string, first: Patch, second: Patch): Patch => ({
  check,
  edits: [...first.edits, ...second.edits],
});

/** A guardrail, by the condition without which it forbids nothing that is tried. */
const guardrail = (id: string, file: string, text: string, left: string): Patch =>
  patch(`guardrail ${id}`, `cedar/guardrails/${file}.cedar`, text, left);

/** Every check that the matrix is to miss when it is gone. */
export const patches: readonly Patch[] = [
  // Who, and how it was proven.
  patch('svid: end of the certificate', 'src/x509/path.ts', 'if (!(seconds <= leaf.notAfter))', 'if (false)'),
  patch(
    'svid: signature of the certificate',
    'src/x509/path.ts',
    'if (!verifies(child.algorithm, issuer.key, child.signed, child.signature))',
    'if (false)',
  ),
  patch(
    'svid: the issuer is an authority of the bundle, by its name',
    'src/x509/path.ts',
    'sameBytes(subject.der, child.issuer.der),',
    'true,',
  ),
  patch('legacy: the day by which a key is rotated', 'src/identity/api-key.ts', 'if (!(now < to))', 'if (false)'),
  patch(
    'legacy: the networks of the account',
    'src/identity/legacy.ts',
    '=== true) return null',
    '!== null) return null',
  ),
  patch(
    'legacy: the hosts of the account',
    'src/identity/legacy.ts',
    'if (!stated.hosts.includes(host.name))',
    'if (false)',
  ),
  patch(
    'identity: certificate and token agree',
    'src/identity/identify.ts',
    'first !== undefined && other !== undefined',
    'false',
  ),
  patch(
    'identity: only a Bearer token names the caller',
    'src/identity/identify.ts',
    "if (scheme !== 'bearer') return",
    'if (false) return',
  ),
  patch(
    'task: one that was ended',
    'src/state/tasks/task-table.ts',
    'if (ended !== null || nowMs >= endsAtMs)',
    'if (nowMs >= endsAtMs)',
  ),
  patch('task: lease', 'src/state/tasks/task-table.ts', 'leaseUntilMs !== null && nowMs >= leaseUntilMs', 'false'),
  patch('task: budget of calls', 'src/check/budgets.ts', "...of('calls', null),", ''),
  patch('token: audience', 'src/token/jws-claims.ts', 'values.includes(audience) ? null', 'true ? null'),
  patch('token: end', 'src/token/jws-claims.ts', 'if (seconds >= exp + LEEWAY_SECONDS)', 'if (false)'),
  patch(
    'token: signature',
    'src/token/jws-compact.ts',
    'await compactVerify(text, key.cryptoKey(algorithm), { algorithms: [algorithm] });',
    '',
  ),
  patch(
    'token: one spelling of base64url',
    'src/base/base64url.ts',
    "bytes.toString('base64url') === text ? bytes : null",
    'bytes',
  ),
  // Why: the token, its issuer, its holder.
  patch(
    'task: a token stands in its own header',
    'src/task/verified-task-token.ts',
    "if (txnToken.header.typ !== 'txntoken+jwt')",
    'if (false)',
  ),
  patch(
    'task: a purpose within those of its issuer',
    'src/task/binding.ts',
    'if (wrongPurpose !== null) return wrongPurpose;',
    '',
  ),
  patch(
    'task: the holder by name is the caller',
    'src/task/binding.ts',
    "if (forwarded && token.scope.propagation !== 'forwarded')",
    'if (false)',
  ),
  patch(
    'task: the certificate is the one it is bound to',
    'src/task/binding.ts',
    'if (certificate !== caller.thumbprint)',
    'if (false)',
  ),
  patch(
    'task: every key it is bound to is proven',
    'src/task/binding.ts',
    'if (keys.every((key) => proven.has(key))) return null;',
    'return null;',
  ),
  patch(
    'task: unbound tokens refuse',
    'src/task/binding.ts',
    'if (!bound && keys.length === 0 && !scope.unsafeBearer)',
    'if (false)',
  ),
  patch(
    'task: a name binds only who proved possession',
    'src/task/binding.ts',
    '(byName && caller.possession)',
    'byName',
  ),
  patch('task: a forwarded token proves little', 'src/task/binding.ts', 'bound && !forwarded', 'bound'),
  patch('task: an unbound token proves little', 'src/task/binding.ts', 'bound && !forwarded', '!forwarded'),
  patch('task: only a proof raises to 3', 'src/task/binding.ts', 'proven.size > 0 ? 3 : 2', '3'),
  patch('task: the declared id agrees', 'src/task/combine-tasks.ts', 'declared.id !== task.id || ', ''),
  both(
    'task: a header once',
    patch(
      'by the reader of requests',
      'src/http/guard.ts',
      '{\n  if (headers.all(name).length > 1) return repeated(name);',
      '{',
    ),
    patch('by the reader of values', 'src/http/credentials.ts', 'values.length > 1 || ', ''),
  ),
  both(
    'task: a token that is bound to a key is no bearer token',
    patch('by its scheme', 'src/task/proofs.ts', "if (scheme === 'bearer' && confirmation.dpop)", 'if (false)'),
    patch('by its key', 'src/task/binding.ts', 'keys.every((key) => proven.has(key))', 'true'),
  ),
  patch(
    'task: a token that asks for a proof by its scheme has one',
    'src/task/proofs.ts',
    "if (scheme === 'dpop' && dpop === null)",
    'if (false)',
  ),
  patch(
    'task: a proof stands beside a token',
    'src/task/proofs.ts',
    'if (dpop === null) return null;',
    'if (dpop === null || candidates.length === 0) return null;',
  ),
  // Proofs.
  patch('dpop: htm', 'src/task/dpop.ts', 'if (claims.htm !== input.method)', 'if (false)'),
  patch('dpop: htu', 'src/task/dpop.ts', 'if (normalTargetUri(claims.htu) !== target)', 'if (false)'),
  patch('dpop: iat', 'src/task/dpop.ts', 'if (outside !== null)', 'if (false)'),
  patch('dpop: ath', 'src/task/dpop.ts', 'if (claims.ath !== hashOf(token.text))', 'if (false)'),
  patch('dpop: the key', 'src/task/dpop.ts', 'if (!token.confirmation.keys.includes(keyThumbprint))', 'if (false)'),
  patch('dpop: once, in whatever spelling', 'src/task/dpop.ts', "proofKey('dpop', keyThumbprint, jti)", 'hashOf(text)'),
  patch(
    'wpt: the WIT is that of the caller',
    'src/task/wimse.ts',
    'if (!caller.possession || subject.text !== caller.workload.id.text)',
    'if (false)',
  ),
  patch('wpt: aud', 'src/task/wimse.ts', 'normalTargetUri(aud) === target ? null', 'true ? null'),
  patch('wpt: exp', 'src/task/wimse.ts', 'if (seconds >= exp + LEEWAY_SECONDS)', 'if (false)'),
  patch('wpt: wth', 'src/task/wimse.ts', "if (differs('wth', texts['workload-identity-token']))", 'if (false)'),
  patch('wpt: ath', 'src/task/wimse.ts', "if (differs('ath', texts.authorization?.text ?? null))", 'if (false)'),
  patch('wpt: tth', 'src/task/wimse.ts', "if (differs('tth', texts['txn-token']))", 'if (false)'),
  patch('wpt: once, in whatever spelling', 'src/task/wimse.ts', "proofKey('wpt', key.thumbprint, jti)", 'hashOf(text)'),
  patch('once: what was used is remembered', 'src/state/memory.ts', 'this.#used.add(key, use.caller, until);', ''),
  patch(
    'once: what was used refuses',
    'src/state/memory.ts',
    'if (replayed !== undefined) return',
    'if (false) return',
  ),
  patch(
    'once: what is permitted is claimed',
    'src/check/settle.ts',
    'stages.redeem(used, use, nowMs, touching)',
    'null',
  ),
  // Through whom, and what.
  patch(
    'chain: every hop is judged',
    'src/check/judge.ts',
    'taskContext.chain.map((hop, index) => {',
    'taskContext.chain.slice(-1).map((hop) => { const index = last;',
  ),
  patch(
    'chain: who acts is the caller, not the originator',
    'src/check/judge.ts',
    "isCaller ? 'caller' : index === 0",
    'index === 0',
  ),
  patch(
    'policy: a forbid wins over a permit, and none is no permit',
    'src/policy/decide/permit.ts',
    "verdicts.filter((verdict) => verdict.result !== 'allow')",
    'verdicts.slice(verdicts.length)',
  ),
  patch(
    'resource: methods that an api does not list',
    'src/inventory/host.ts',
    'if (stated(matches, (api) => api.methods).some((listed) => !listed.has(method)))',
    'if (false)',
  ),
  guardrail(
    'proof-rises-with-sensitivity',
    'proof',
    'context has task && context.task.assurance >= resource.sensitivity',
    'resource.sensitivity < 100',
  ),
  guardrail('bearers-stay-below-confidential', 'proof', 'resource.sensitivity >= 2', 'resource.sensitivity >= 100'),
  guardrail(
    'scoped-tokens-stay-in-their-scopes',
    'proof',
    'context has task && context.task.scopes.containsAny(resource.scopes)',
    'resource.sensitivity < 100',
  ),
  guardrail('tasks-stay-with-their-resources', 'proof', '!context.task.coversResource', 'resource.sensitivity > 100'),
  guardrail(
    'agents-write-only-in-a-task',
    'writes',
    'context has task && context.task.assurance >= 2',
    'resource.sensitivity < 100',
  ),
];
