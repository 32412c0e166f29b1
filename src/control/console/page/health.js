import { get } from './api.js';
import { facts, h, mono, state } from './dom.js';

const words = (name) =>
  name.replace(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`).replace(/^./, (letter) => letter.toUpperCase());

/** A value of the status page: plain ones as text, others as JSON. */
function value(given) {
  if (given === null) return 'none';
  if (typeof given === 'boolean') return given ? 'yes' : 'no';
  if (typeof given !== 'object') return String(given);
  if (Array.isArray(given) && given.every((one) => typeof one !== 'object'))
    return given.length === 0 ? 'none' : given.join(', ');
  return h('pre', { tabindex: '0' }, JSON.stringify(given, null, 1));
}

/** How this process stands: its feeds, bundles, store and policies. */
export function health() {
  const element = h('div', { class: 'cards' });
  return {
    title: 'Health',
    about: 'What this process knows, and how fresh it is.',
    tools: [],
    element,
    async refresh() {
      const { version, ready, missing, revision, parts } = await get('/state');
      const isReady = ready ? state('good', 'ready') : state('bad', 'not ready');
      element.replaceChildren(
        h(
          'section',
          { class: 'card' },
          h('header', {}, h('h2', {}, 'This process'), isReady),
          facts(
            ['Version', version],
            ['Policies', revision === null ? null : mono(revision)],
            ['Missing', missing.join('; ')],
          ),
        ),
        h(
          'div',
          { class: 'grid' },
          Object.entries(parts).map(([name, part]) =>
            h(
              'section',
              { class: 'card' },
              h('h2', {}, words(name)),
              typeof part === 'object' && part !== null && !Array.isArray(part)
                ? facts(...Object.entries(part).map(([key, given]) => [words(key), value(given)]))
                : h('div', {}, value(part)),
            ),
          ),
        ),
      );
    },
  };
}
