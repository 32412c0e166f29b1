import { Refusal } from '../base/outcome.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import type { Examination } from './examination.ts';
import type { EnvoyPlace } from './findings.ts';
import type { Message } from './message.ts';

/** What a filter chain asks of its clients in the handshake. */
export function checkClients(chain: Message, place: EnvoyPlace, { findings }: Examination): void {
  const context = contextOf(chain);
  if (context === null) {
    findings.add('client-plaintext', chain, place);
    return;
  }
  if (!context.flag('require_client_certificate'))
    findings.add('client-certificate', context, place, { field: 'require_client_certificate' });
  if (!context.flag('disable_stateless_session_resumption') || !context.flag('disable_stateful_session_resumption'))
    findings.add('session-resumption', context, place);
  const common = context.message('common_tls_context');
  const validation =
    common?.message('validation_context') ??
    common?.at('combined_validation_context', 'default_validation_context') ??
    null;
  const trust = validation?.word('trust_chain_verification', ['VERIFY_TRUST_CHAIN', 'ACCEPT_UNTRUSTED']);
  if (validation !== null && trust === 'ACCEPT_UNTRUSTED')
    findings.add('client-unvalidated', validation, place, { field: 'trust_chain_verification' });
  const fromElsewhere = ['validation_context_sds_secret_config', 'combined_validation_context'];
  if (common !== null && validation === null && !fromElsewhere.some((name) => common.has(name)))
    findings.add('client-unvalidated', common, place, { detail: 'there is no validation_context' });
}

/** The SPIFFE IDs of the certificates that a filter chain shows: agents of SPIFFE name a secret so, others do not. */
export function ownIds(chain: Message): ReadonlySet<string> {
  const secrets = contextOf(chain)?.message('common_tls_context')?.list('tls_certificate_sds_secret_configs') ?? [];
  const names = secrets.map((secret) => secret.text('name') ?? '');
  return new Set(names.filter((name) => !(SpiffeId.parse(name) instanceof Refusal)));
}

function contextOf(chain: Message): Message | null {
  const tls = chain.at('transport_socket', 'typed_config');
  if (tls === null || !/\.(?:DownstreamTlsContext|QuicDownstreamTransport)$/.test(tls.type)) return null;
  return tls.message('downstream_tls_context') ?? tls;
}
