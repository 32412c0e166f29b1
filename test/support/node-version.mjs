// Plain JavaScript, so that an old Node can run it and say what to do.
import { readFileSync } from 'node:fs';

const { engines, devDependencies } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const wanted = /[\d.]+/.exec(engines.node)[0];
if (wanted.localeCompare(process.versions.node, 'en', { numeric: true }) > 0) {
  process.stderr.write(
    `This is Node ${process.versions.node}; cedar-ext-authz needs Node ${wanted} or newer (older ones abort under load).\n` +
      `The npm package node@${devDependencies.node} brings it, by an install script. Run:\n` +
      '  npm ci\n' +
      'without --ignore-scripts, and start everything through npm (npm test, npm run demo).\n',
  );
  process.exit(1);
}
