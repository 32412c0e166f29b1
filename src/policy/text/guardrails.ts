/**
 * The `@id`s of cedar/guardrails. They are written down here so that a folder of guardrails that lost one is noticed, be it
 * the release's own; whoever does without one says so under `policy.guardrails.disable`.
 */
export const RELEASE_GUARDRAILS: readonly string[] = [
  'agents-write-only-in-a-task',
  'bearers-stay-below-confidential',
  'chains-stay-in-the-trust-domain',
  'confidential-data-stays-inside',
  'external-one-step-higher',
  'legacy-calls-from-its-networks',
  'legacy-credentials-are-rotated',
  'legacy-stops-at-a-signal',
  'outside-input-stays-inside',
  'outside-only-in-a-task',
  'proof-rises-with-sensitivity',
  'restricted-writes-need-a-person',
  'risk-falls-as-sensitivity-rises',
  'scoped-tokens-stay-in-their-scopes',
  'signals-ask-for-a-known-risk',
  'tasks-stay-with-their-resources',
];

/** The `@id`s of cedar/guardrails/control, which hold wherever there are control policies. */
export const CONTROL_GUARDRAILS: readonly string[] = [
  'bearers-only-view-and-revoke',
  'children-only-of-ones-own-tasks',
  'opening-needs-a-certificate-or-a-person',
];
