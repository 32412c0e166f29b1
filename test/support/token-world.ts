import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Shown } from './client.ts';
import { type ControlAnswer, type ControlWorldOptions, startControlWorld } from './control-world.ts';
import { makeKey, type SigningKey } from './tokens.ts';
import { workload } from './world.ts';
import { AGENT, ORCHESTRATOR, TOOLS } from './world-asks.ts';

/** Who may begin tasks here, hand them on, and extend them. */
const TASK_POLICIES = `
@id("agents-begin-their-own")
permit (principal in Control::Group::"finance-agents", action == Control::Action::"start", resource)
when { resource == principal && context.purpose in Control::Purpose::"finance" && context.seconds <= 3600 &&
  ["invoices", "refunds"].containsAll(context.scopes) };

@id("orchestrator-begins-and-hands-on")
permit (
  principal == Control::Workload::"${workload(ORCHESTRATOR)}",
  action in [Control::Action::"start", Control::Action::"handOn"],
  resource
)
when { (resource == principal || resource in Control::Group::"finance-agents") &&
  context.purpose in Control::Purpose::"finance" };

@id("tools-hand-on-what-they-may-not-begin")
permit (
  principal == Control::Workload::"${workload(TOOLS)}",
  action == Control::Action::"handOn",
  resource in Control::Group::"finance-agents"
);

@id("tools-revoke")
permit (principal == Control::Workload::"${workload(TOOLS)}", action == Control::Action::"revoke", resource);

@id("extended-by-those-in-them")
permit (principal is Control::Workload, action in [Control::Action::"extend", Control::Action::"end"], resource is Control::Task)
when { (resource has workloads && resource.workloads.contains(principal)) ||
  (resource has startedBy && resource.startedBy == principal) };
`;

const urn = (rest: string): string => `urn:ietf:params:oauth:${rest}`;
export const TYPES = {
  txn: urn('token-type:txn_token'),
  unsigned: urn('token-type:unsigned_json'),
  jwt: urn('token-type:jwt'),
} as const;

type Form = Readonly<Record<string, string | undefined>>;

/** A good request of a first token by this workload. */
export const startForm = (path: string, details: object = {}, more: Form = {}): Form => ({
  grant_type: urn('grant-type:token-exchange'),
  requested_token_type: TYPES.txn,
  audience: 'prod.example',
  scope: 'invoices',
  subject_token_type: TYPES.unsigned,
  subject_token: JSON.stringify({ sub: workload(path) }),
  request_details: JSON.stringify({ purpose: 'reconcile-invoices', lifetime: 3600, ...details }),
  ...more,
});

/** A good request to exchange a token. */
export const exchangeForm = (token: string, more: Form = {}): Form => ({
  ...startForm(AGENT),
  subject_token_type: TYPES.txn,
  subject_token: token,
  request_details: undefined,
  ...more,
});

/** The text of a form. */
export function formText(form: Form): string {
  const given = Object.entries(form).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return new URLSearchParams(given).toString();
}

/** Private keys as a file of them has them, the one that signs first. */
export const pemOf = (...keys: readonly SigningKey[]): string =>
  keys.map(({ privateKey }) => privateKey.export({ format: 'pem', type: 'pkcs8' }) as string).join('');

/** The mesh with the token service in its one process. */
export async function startTokenWorld(
  options: ControlWorldOptions & { readonly signing?: readonly SigningKey[] } = {},
) {
  const { signing = [makeKey()], policies = TASK_POLICIES, edit, prepare } = options;
  const world = await startControlWorld({
    ...options,
    over: 'tls',
    policies,
    edit: (config) => {
      config.tokenService = { keys: './tts.pem', ...config.tokenService };
      config.task = { ...config.task, issuers: [...(config.task.issuers as object[]), { kind: 'built-in' }] };
      edit?.(config);
    },
    prepare: (folder, keys) => {
      writeFileSync(join(folder, 'tts.pem'), pemOf(...signing));
      prepare?.(folder, keys);
    },
  });
  /** `POST /token` of a form, or of a text as it is. */
  const token = (
    svid: Shown | null,
    form: Form | string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<ControlAnswer> => {
    const body = typeof form === 'string' ? form : formText(form);
    const type = {
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': `${Buffer.byteLength(body)}`,
    };
    return world.ask({ method: 'POST', path: '/token', svid, body, headers: { ...type, ...headers } });
  };
  /** The token of a request that must be good. */
  const granted = async (path: string, form: Form): Promise<string> => {
    const { status, json } = await token(world.svid(path), form);
    if (status !== 200) throw new Error(JSON.stringify(json));
    return String(json.access_token);
  };
  return { ...world, signing, requestToken: token, granted };
}

/** The claims of a token, whoever signed it. */
export const claimsIn = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
