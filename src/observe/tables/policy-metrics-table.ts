import type { MetricRow } from './metric-row.ts';

/** The metrics of policies, and of the snapshot that they are in. */
export const policyMetricRows = {
  authz_policy_forbids_total: {
    type: 'counter',
    help: 'Checks that this forbid decided, once for each check',
    labels: {
      policy: 'the ids of the enforced forbids of the snapshot, at most 1,000; `other` beyond',
      kind: '`policy`, `guardrail`',
      result: '`deny`; `allow` if `policy.unsafeObserveOnly` allowed the check',
    },
    unit: 'checks',
    use: 'Which policy denies; `policy explain --audit` explains one decision',
  },
  authz_policy_errors_total: {
    type: 'counter',
    help: 'Checks refused because a policy could not be evaluated',
    labels: {},
    unit: 'checks',
    use: 'Should be 0: the audit line names the policy under `policy.errors`; correct it',
  },
  authz_shadow_disagreements_total: {
    type: 'counter',
    help: 'Checks that a policy in shadow mode would have decided differently',
    labels: { policy: 'the ids of the policies in shadow mode' },
    unit: 'checks',
    use: 'Enforce the policy if the count is as intended; `policy replay` names the callers',
  },
  authz_policy_snapshot_info: {
    type: 'gauge',
    help: 'The current snapshot, by its revision',
    labels: { revision: 'of the current snapshot only', label: '`policy.label`; empty without one' },
    unit: '1',
    use: 'All sidecars of one rollout should have the same revision; absent while there is no snapshot',
  },
  authz_policy_snapshot_age_seconds: {
    type: 'gauge',
    help: 'Time since the snapshot was loaded; absent while there is none',
    labels: {},
    unit: 'seconds',
    use: 'Absent: every check is refused with `policy_unavailable`; look at `/status`',
  },
  authz_policy_out_of_date: {
    type: 'gauge',
    help: 'Whether the files on disk differ from the current snapshot',
    labels: {},
    unit: '0 or 1',
    use: 'Alert on 1 for longer than a minute: the last good snapshot is used, and `/status` has the problems of the files',
  },
  authz_emergency_forbids: {
    type: 'gauge',
    help: 'Forbids of the folder `emergency/` that hold now',
    labels: {},
    unit: 'policies',
    use: 'All sidecars should have the same number within seconds of a change; a fall is an end or a removal',
  },
  authz_emergency_out_of_date: {
    type: 'gauge',
    help: 'Whether something of the folder `emergency/` is not in force as it stands there',
    labels: {},
    unit: '0 or 1',
    use: 'Alert on 1: `/status` has the problems of the files',
  },
  authz_emergency_end_seconds: {
    type: 'gauge',
    help: 'Time until the first of the emergency forbids ends; absent while there is none',
    labels: {},
    unit: 'seconds',
    use: 'Alert below 86400: move what has to stay to the other policies',
  },
  authz_emergency_denials_total: {
    type: 'counter',
    help: 'Checks that an emergency forbid refused',
    labels: {},
    unit: 'checks',
    use: 'Whom it hits: the audit line names the policy as `emergency/ID`',
  },
  authz_policy_reloads_total: {
    type: 'counter',
    help: 'Attempts to load a changed snapshot',
    labels: { result: '`loaded`, `refused`' },
    unit: 'attempts',
    use: '`refused` rises with each broken edit; `authz_policy_out_of_date` shows whether it persists',
  },
  authz_guardrails_in_force: {
    type: 'gauge',
    help: 'Enforced guardrails of the snapshot; absent while there is none',
    labels: {},
    unit: 'policies',
    use: 'Alert when it falls: a folder of guardrails was replaced, or some were disabled',
  },
  authz_policy_teams_held_back: {
    type: 'gauge',
    help: 'Teams whose folder is invalid and not used; absent while there is no snapshot',
    labels: {},
    unit: 'teams',
    use: 'Should be 0; `/status` lists them under `policy.heldBack`, with the problems',
  },
  authz_guardrails_disabled: {
    type: 'gauge',
    help: 'Guardrails that the configuration disables; absent while there is no snapshot',
    labels: {},
    unit: 'policies',
    use: 'Should return to 0 by the day under `until` of each',
  },
  authz_shadowed_forbids: {
    type: 'gauge',
    help: 'Forbids in shadow mode, which deny nothing; absent while there is no snapshot',
    labels: {},
    unit: 'policies',
    use: 'Make sure that nobody relies on them',
  },
  authz_legacy_keys_due: {
    type: 'gauge',
    help: 'Legacy accounts whose API keys all end within 14 days, or have ended; absent where none has a key',
    labels: {},
    unit: 'accounts',
    use: 'Should be 0: the log names them; make new keys, and give them to the accounts',
  },
  authz_legacy_key_expiry_seconds: {
    type: 'gauge',
    help: 'How long the newest key is accepted of the account whose keys end first; absent where none has a key',
    labels: {},
    unit: 'seconds',
    use: 'Alert well before 0: from then on the account is refused with `identity_key_expired`',
  },
  authz_engine_rebuilds_total: {
    type: 'counter',
    help: 'Times that the policy engine was replaced',
    labels: {},
    unit: 'times',
    use: 'Should be 0: a rise means that a policy or a request crashes the engine; the log has the cause',
  },
} as const satisfies Readonly<Record<string, MetricRow>>;

/** The metrics of what is noticed about callers. */
export const behaviourMetricRows = {
  authz_behaviour_signals_total: {
    type: 'counter',
    help: 'Checks whose caller gave this signal',
    labels: {
      signal:
        '`rate`, `fan-out`, `novel-endpoint`, `new-network`, `odd-hour`, `refusals`, `write-shift`: see [behaviour.md](behaviour.md)',
    },
    unit: 'checks',
    use: 'The audit lines with `behaviour` name the callers, and have the numbers',
  },
  authz_behaviour_would_refuse_total: {
    type: 'counter',
    help: 'Allowed checks that policies would have refused, had they been told of risk and signals',
    labels: {},
    unit: 'checks',
    use: 'Look at these before `behaviour.mode: act`: the audit lines have the policies under `behaviour.would`',
  },
  authz_behaviour_would_quarantine_total: {
    type: 'counter',
    help: 'Allowed checks that a quarantine of the caller would have refused, had one been made',
    labels: {},
    unit: 'checks',
    use: 'Look at these before `behaviour.mode: act`: the audit lines have `behaviour.wouldQuarantine`',
  },
  authz_behaviour_quarantined: {
    type: 'gauge',
    help: 'Workloads in quarantine that this sidecar ordered',
    labels: {},
    unit: 'workloads',
    use: 'Look at each: `revocations` lists them with what was noticed; a lift says that it is normal',
  },
  authz_behaviour_quarantines_total: {
    type: 'counter',
    help: 'Quarantines that this sidecar ordered',
    labels: {},
    unit: 'quarantines',
    use: 'Alert on each: a credential looks stolen, or what is usual is wrong',
  },
  authz_behaviour_quarantines_held_back_total: {
    type: 'counter',
    help: 'Checks of callers whose credential looks stolen, without a quarantine because there are too many',
    labels: {},
    unit: 'checks',
    use: 'Alert on each: several credentials are stolen, or what is usual is wrong. Policies that read risk still refuse them',
  },
} as const satisfies Readonly<Record<`authz_behaviour_${string}`, MetricRow>>;
