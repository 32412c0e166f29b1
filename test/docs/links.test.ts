import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { anchors, type Page, page, pages, prose, repository } from './markdown.ts';

const LINK = /\[[^\]]*\]\(([^)\s]+)\)/g;
/** A file or folder of ours in code letters, such as `src/check/check.ts` or `test/cases/`. */
const OURS = /`((?:src|test|cedar|envoy|k8s|proto|docs)\/[A-Za-z0-9_./-]+)`/g;

for (const one of pages()) {
  test(`${one.file} leads to pages and places that exist`, () => {
    assert.deepEqual(
      linksOf(one).filter((link) => !leadsSomewhere(one, link)),
      [],
    );
  });

  test(`${one.file} names files that exist`, () => {
    const named = [...prose(one.text).matchAll(OURS)].map(([, path = '']) => path);
    assert.deepEqual(
      named.filter((path) => !existsSync(join(repository, path))),
      [],
    );
  });
}

function linksOf({ text }: Page): readonly string[] {
  return [...prose(text).matchAll(LINK)].map(([, link = '']) => link);
}

/** Other people's pages are not visited. */
function leadsSomewhere({ file, text }: Page, link: string): boolean {
  if (/^(https?|mailto):/.test(link)) return true;
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? file : normalize(join(dirname(file), path));
  if (!existsSync(join(repository, target))) return false;
  return anchor === undefined || anchors(path === '' ? text : page(target).text).has(anchor);
}
