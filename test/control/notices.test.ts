import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { parse } from 'yaml';
import { bodyOf } from '../../src/control/notices/body.ts';
import { noticeOf } from '../../src/control/notices/notice.ts';
import { blocks, page } from '../docs/markdown.ts';
import { approvalOrder, askedFor, yes } from '../support/approvals.ts';
import { ALL_TO_OPERATOR, startControlWorld } from '../support/control-world.ts';
import { newSecret, webhookServer } from '../support/notice-world.ts';
import { until } from '../support/until.ts';

const blocksOf = (info: string) => blocks(page('docs/control.md').text).filter((block) => block.info === info);

test('a sidecar with the receivers of the page tells of what is asked and granted, signed, and of nothing that the caller sent', async (t) => {
  const [server, chat] = [await webhookServer(t), await webhookServer(t)];
  const secret = newSecret();
  const world = await startControlWorld({
    policies: ALL_TO_OPERATOR,
    edit: (config) => {
      const [block] = blocksOf('yaml notices');
      const text = block!.text.replace('https://hooks.prod.example/authz', server.url.href);
      const { control } = parse(text.replace(/\$\{CHAT_URL\}/, chat.url.href)) as { control: { notices: object[] } };
      const [oncall, toChat] = control.notices;
      config.control = { ...config.control, notices: [oncall, { ...toChat, ca: './chat-ca.pem' }] };
    },
    prepare: (folder) => {
      writeFileSync(join(folder, 'hooks-ca.pem'), server.ca);
      writeFileSync(join(folder, 'chat-ca.pem'), chat.ca);
      writeFileSync(join(folder, 'oncall.secret'), secret);
    },
  });
  t.after(() => world.stop());
  const order = approvalOrder({ path: '/refunds/4711', query: 'token=of-the-caller' });
  const id = await askedFor(world.approvals!, order);
  const heard = async () => {
    const { body, headers } = await server.posted.next();
    assert.doesNotMatch(body, /4711|of-the-caller|amount|carol|t-42/);
    const { type, data } = new Webhook(secret).verify(body, headers as Record<string, string>) as Record<
      string,
      unknown
    >;
    const { id: about, approvals, caller, host, sensitivity } = data as Record<string, unknown>;
    return { type, about, approvals, caller, host, sensitivity };
  };
  const { approvals, caller, host, sensitivity } = order;
  const said = { about: id, approvals, caller, host, sensitivity };
  assert.deepEqual(await heard(), { type: 'approval.requested', ...said });
  const granted = await world.approvals!.grant(yes(id, { digest: order.digest }), Date.now());
  assert.equal(granted.result, 'stored');
  assert.deepEqual(await heard(), { type: 'approval.granted', ...said });
  const line = JSON.parse((await chat.posted.next()).body) as Record<string, unknown>;
  assert.match(String(line.text), /^Approval requested: resource-owner \| caller spiffe:/);
  const notices = await until('the answers', async () => {
    const shown = JSON.parse(await world.status('/status')) as { notices: { waiting: number }[] };
    return shown.notices.every(({ waiting }) => waiting === 0) ? shown.notices : null;
  });
  assert.deepEqual(notices, [
    { name: 'oncall', host: server.url.host, waiting: 0, disabled: null },
    { name: 'chat', host: chat.url.host, waiting: 0, disabled: null },
  ]);
  assert.deepEqual([server.posted.all.length, chat.posted.all.length], [2, 1]);
  const metrics = await world.status('/metrics');
  assert.match(metrics, /^authz_control_notices_total\{receiver="chat",result="delivered"\} 1$/m);
  assert.match(metrics, /^authz_control_notices_waiting 0$/m);
});

test('the notice of the page is what is sent', () => {
  const [block] = blocksOf('json notice');
  const { type, timestamp, data } = JSON.parse(block!.text);
  const { page: link, ...rest } = data;
  const times = { atMs: Date.parse(timestamp), untilMs: Date.parse(data.expires) };
  assert.equal(`${bodyOf(noticeOf(type, [], times, rest), 'standard', link)}\n`, block!.text);
});
