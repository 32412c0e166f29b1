import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem } from '../source/problem.ts';
import { isConfig, loadConfig } from './load.ts';

const good = { name: 'oncall', url: 'https://hooks.example/a?b=c', secretFiles: ['./oncall.secret'] };

function read(...notices: readonly object[]) {
  const document = {
    identity: { trustDomains: { 'prod.example': { local: true, bundle: { file: './prod.pem' } } } },
    control: { notices },
  };
  return loadConfig(JSON.stringify(document), '/etc/authz/config.yaml', {});
}

test('a receiver has a URL, secrets and all events', () => {
  const config = read(good);
  assert.ok(isConfig(config), JSON.stringify(config));
  assert.deepEqual(config.control.notices, [
    {
      name: 'oncall',
      url: new URL('https://hooks.example/a?b=c'),
      format: 'standard',
      secretFiles: ['/etc/authz/oncall.secret'],
      events: ['approval.requested', 'approval.granted', 'break_glass.used', 'guardrail.expired'],
      ca: null,
    },
  ]);
  assert.ok(isConfig(read({ name: 'slack', url: good.url, format: 'slack' })), 'Slack verifies nothing');
});

const wrong: readonly (readonly [name: string, notices: readonly object[], fault: RegExp])[] = [
  ['no TLS', [{ ...good, url: 'http://hooks.example/a' }], /notices\[0\].url.*no https URL/],
  ['no TLS on loopback', [{ ...good, url: 'http://127.0.0.1/a' }], /notices\[0\].url.*no https URL/],
  ['a user', [{ ...good, url: 'https://user@hooks.example/a' }], /notices\[0\].url.*no https URL/],
  ['a fragment', [{ ...good, url: 'https://hooks.example/a#b' }], /notices\[0\].url.*no https URL/],
  ['no secret', [{ ...good, secretFiles: [] }], /notices\[0\].secretFiles.*is needed/],
  ['three secrets', [{ ...good, secretFiles: ['a', 'b', 'c'] }], /secretFiles.*more than 2 items/],
  ['one secret twice', [{ ...good, secretFiles: ['a', './a'] }], /secretFiles.*stands twice/],
  ['no events', [{ ...good, events: [] }], /events.*is empty/],
  ['another event', [{ ...good, events: ['decision.denied'] }], /events\[0\].*must be one of approval.requested/],
  ['another format', [{ ...good, format: 'teams' }], /format.*must be one of standard, slack/],
  ['one name twice', [good, { ...good, url: 'https://hooks.example/b' }], /notices\[1\].*stands twice/],
  ['no name', [{ ...good, name: 'On call' }], /notices\[0\].name.*is not a name/],
];
for (const [name, notices, fault] of wrong)
  test(`refused: ${name}`, () => {
    const found = read(...notices);
    assert.ok(!isConfig(found));
    const text = found.map(formatProblem).join('\n');
    assert.match(text, fault);
    assert.doesNotMatch(text, /hooks.example/, 'a URL may be a secret');
  });
