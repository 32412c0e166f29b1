import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeContext, packPackage } from './context.ts';
import { buildImage, engines, findEngine, pushImage } from './engine.ts';
import { readPackages } from './packages.ts';
import { refresh } from './refresh.ts';

const repository = join(import.meta.dirname, '..', '..');
const USAGE = `npm run image -- [NAME] [--push] [--engine ENGINE]   builds the image NAME, and sends it to its registry
npm run image -- --context                             makes the build context alone: build/image
npm run image -- --refresh                             renews the versions and hashes of k8s/image/packages.json
  NAME      such as registry.example/team/cedar-ext-authz:1.0.0; cedar-ext-authz:VERSION where it is left out
  ENGINE    ${engines.join(', ')}; the first one that is installed where it is left out
`;
const say = (text: string): void => void process.stdout.write(`${text}\n`);

const flag = { type: 'boolean', default: false } as const;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { push: flag, context: flag, refresh: flag, help: flag, engine: { type: 'string' } },
});
const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { readonly version: string };

if (values.help || positionals.length > 1) {
  say(USAGE);
  process.exitCode = values.help ? 0 : 64;
} else if (values.refresh) {
  refresh(repository);
  say('k8s/image/packages.json is renewed');
} else {
  const build = join(repository, 'build');
  const { folder, bill } = await makeContext(repository, build, readPackages(), packPackage(repository, build));
  writeFileSync(join(build, 'cedar-ext-authz.cdx.json'), bill);
  if (!values.context) {
    const name = positionals[0] ?? `cedar-ext-authz:${version}`;
    const engine = findEngine(values.engine);
    buildImage(engine, name, join(import.meta.dirname, 'Containerfile'), folder);
    say(`built ${name} with ${engine}; its SBOM is build/cedar-ext-authz.cdx.json`);
    if (values.push) {
      const digest = pushImage(engine, name);
      writeFileSync(join(build, 'digest'), `${digest}\n`);
      const [registry] = name.split(/:[^:/]+$/);
      say(
        `pushed ${registry}@${digest}\nfor the chart: --set image.repository=${registry} --set image.digest=${digest}`,
      );
    }
  }
}
