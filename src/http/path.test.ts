import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Reason, Refusal } from '../base/outcome.ts';
import { type PathRules, readTarget } from './path.ts';

const strict: PathRules = { mergeSlashes: false, bangIsReplacement: false };

function reason(target: string, options = strict): Reason | null {
  const read = readTarget(target, options);
  return read instanceof Refusal ? read.reason : null;
}

function path(target: string, options = strict): string | null {
  const read = readTarget(target, options);
  return read instanceof Refusal ? null : read.path;
}

test('B10: a run of slashes is refused, and read as one where Envoy merges', () => {
  for (const target of ['//admin/keys', '///admin/keys', '/x//admin', '/admin//']) {
    assert.equal(reason(target), 'request_path_ambiguous', target);
  }
  const merging = { ...strict, mergeSlashes: true };
  assert.equal(path('//admin/keys', merging), '/admin/keys');
  assert.equal(path('///admin/keys', merging), '/admin/keys');
  assert.equal(path('/x//admin', merging), '/x/admin');
  assert.equal(reason('/x//../admin', merging), 'request_path_ambiguous');
});

test('B11: dot segments are refused in every disguise', () => {
  assert.equal(path('/public/a..b/.hidden/...'), '/public/a..b/.hidden/...');
  assert.equal(path('/public/report%2epdf'), '/public/report.pdf');
  const hidden = [
    '..',
    '%2e%2e',
    '%2E.',
    '.',
    '%2e',
    '..%2f',
    '..%5c',
    '..\\',
    '..;',
    '.%2e;x=1',
    '..%3b',
    '%3b',
    ';x',
  ];
  for (const segment of hidden) {
    assert.equal(reason(`/public/${segment}/admin`), 'request_path_ambiguous', segment);
    assert.equal(reason(`/public/${segment}`), 'request_path_ambiguous', segment);
  }
});

test('B11: a semicolon begins a parameter for some servers; an encoded one is data', () => {
  assert.equal(reason('/admin;a=b'), 'request_path_ambiguous');
  assert.equal(path('/admin%3ba=b'), '/admin;a=b');
});

test('B12: NUL, controls, overlong and invalid UTF-8 and a second layer of encoding are refused', () => {
  assert.equal(path('/caf%C3%A9/%E2%82%AC'), '/café/€');
  assert.equal(path('/%EF%BB%BFa'), '/\ufeffa');
  for (const target of ['/admin%00.png', '/a%0ab', '/a%7f', '/a%C2%85b', '/public/%252e%252e/admin', '/a%25']) {
    assert.equal(reason(target), 'request_path_ambiguous', target);
  }
  for (const target of ['/a%C0%80b', '/%c0%ae%c0%ae/admin', '/%ff', '/%ED%A0%80', '/caf%C3']) {
    assert.equal(reason(target), 'request_path_malformed', target);
  }
});

test('B12: what folds to dots or separators is refused; other letters outside ASCII are not', () => {
  assert.equal(path('/%EF%BD%81'), '/\uff41');
  const folding = ['\uff0e\uff0e', '\u2025', '.\uff0e', 'a\uff0fb', 'a\uff3cb', '\uff05', 'a\uff1bb', 'a\u037eb'];
  for (const segment of folding) {
    assert.equal(reason(`/${encodeURIComponent(segment)}/admin`), 'request_path_ambiguous', segment);
  }
});

test('marks may be combined, but not without end', () => {
  const marks = (count: number) => `/a${encodeURIComponent('\u0315\u0300'.repeat(count / 2))}`;
  assert.equal(reason(marks(30)), null);
  assert.equal(reason(marks(32)), 'request_path_ambiguous');
});

test('B13: the query stands apart, and a fragment is refused', () => {
  assert.deepEqual(readTarget('/admin?x=1', strict), { path: '/admin', rawPath: '/admin', query: 'x=1' });
  assert.deepEqual(readTarget('/admin?/../public?', strict), {
    path: '/admin',
    rawPath: '/admin',
    query: '/../public?',
  });
  assert.deepEqual(readTarget('/admin', strict), { path: '/admin', rawPath: '/admin', query: null });
  assert.deepEqual(readTarget('/admin?', strict), { path: '/admin', rawPath: '/admin', query: '' });
  assert.equal(reason('/admin#x'), 'request_path_ambiguous');
  assert.equal(reason('/admin?#'), 'request_path_ambiguous');
  assert.equal(reason('/admin?a=%23%0a'), null);
  assert.equal(reason('/admin?a=\u0001'), 'request_path_ambiguous');
});

test('B06: a bad escape is refused, and an escape in the query is nobody’s business here', () => {
  for (const target of ['/%zz', '/50%', '/a%4', '/%-1', '/% 1', '/%+1', '/%0x']) {
    assert.equal(reason(target), 'request_path_malformed', target);
  }
  assert.deepEqual(readTarget('/a?q=%0A', strict), { path: '/a', rawPath: '/a', query: 'q=%0A' });
});

test('a target that is no absolute path is refused by its own name', () => {
  assert.equal(reason('*'), 'request_path_asterisk');
  for (const target of ['', 'a', 'http://h/a', 'h:443', '?a', '\\a', '%2fa', '*/']) {
    assert.equal(reason(target), 'request_path_not_absolute', target);
  }
});

test('what is no URI character is refused raw', () => {
  for (const target of ['/a b', '/a\tb', '/caf\u00e9', '/a\u007fb']) {
    assert.equal(reason(target), 'request_path_malformed', JSON.stringify(target));
  }
  assert.equal(reason('/a\\b'), 'request_path_ambiguous');
});

test('a ! is a letter, or a byte that Envoy replaced', () => {
  assert.equal(path('/a!'), '/a!');
  assert.equal(reason('/a!', { ...strict, bangIsReplacement: true }), 'request_path_ambiguous');
  assert.equal(path('/a%21?b!', { ...strict, bangIsReplacement: true }), '/a!');
});

test('the raw path is kept for proofs that were made over it', () => {
  const read = readTarget('/%61/b?c', strict);
  assert.ok(!(read instanceof Refusal));
  assert.deepEqual([read.path, read.rawPath], ['/a/b', '/%61/b']);
});
