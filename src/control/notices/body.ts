import { plainJson } from '../../observe/text.ts';
import type { Notice, NoticeType } from './notice.ts';

/** That of Standard Webhooks, or one that Slack and what is compatible with it show. */
export type NoticeFormat = 'standard' | 'slack';

/** What a message to people begins with. */
const titles: Readonly<Record<NoticeType, string>> = {
  'approval.requested': 'Approval requested',
  'approval.granted': 'Approval granted',
  'break_glass.used': 'BREAK-GLASS used, and another person must review it',
  'guardrail.expired': 'The time of a disabled guardrail is over: it binds again',
};

/**
 * The body of a webhook, as JSON. `standard`: `type`, `timestamp` (when it happened) and `data`, by Standard Webhooks. `slack`: one
 * line of plain text. `page`: where people see to it; null where nobody can.
 */
export function bodyOf({ type, atMs, data }: Notice, format: NoticeFormat, page: string | null): string {
  const isApproval = type !== 'guardrail.expired';
  const link = isApproval && page !== null ? { page } : {};
  if (format === 'standard')
    return plainJson({ type, timestamp: new Date(atMs).toISOString(), data: { ...data, ...link } });
  const { id, approvals = [id], caller, host, sensitivity, expires } = data;
  const parts = [
    `${titles[type]}: ${approvals.join(', ')}`,
    ...(caller === undefined ? [] : [`caller ${caller}`]),
    ...(host === undefined ? [] : [`host ${host}`]),
    ...(sensitivity == null ? [] : [`sensitivity ${sensitivity}`]),
    ...(expires === undefined ? [] : [`until ${expires}`]),
  ];
  const text = [plainText(parts.join(' | ')), ...Object.values(link)].join(' | ');
  return plainJson({ text, mrkdwn: false });
}

/** Without what Slack or Mattermost take for a link, a mention or a command, and without what nobody sees. */
const plainText = (text: string): string =>
  text
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('@', '(at)');
