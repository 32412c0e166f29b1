/**
 * Elements, with every text as text: nothing here reads HTML. Names that begin with `on` are listeners, others attributes;
 * false, null and undefined leave an attribute out.
 */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, '');
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  add(element, children);
  return element;
}

export function add(element, children) {
  for (const child of [children].flat(9)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : shown(String(child)));
  }
}

/**
 * What would reorder, hide or forge text: controls, marks of direction, characters that show nothing (UAX #44,
 * Default_Ignorable_Code_Point) or a blank that is no space, and accents piled up over the lines above.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{DI}\u2800]|(?! )\p{Zs}|(?<=\p{M}{3})\p{M}/gu;

/** A text as it is, but with what nobody sees written out. */
const shown = (text, keepsLines = false) =>
  text.replace(HIDDEN, (one) => (keepsLines && one === '\n' ? one : `\\u{${one.codePointAt(0).toString(16)}}`));

/** Text of several lines. */
export const lines = (text) => document.createTextNode(shown(text, true));

export const mono = (text) => h('span', { class: 'mono' }, text);
/** A name or a date that is not to be broken. */
export const word = (text) => h('span', { class: 'mono word' }, text);
export const quiet = (...children) => h('span', { class: 'quiet' }, children);
export const state = (kind, text) => h('span', { class: `state ${kind}` }, text);

export const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const DAY_MS = 86_400_000;

/** A time as people here write it, with the whole of it in the attribute and in the tooltip. */
export function time(iso, none = '–') {
  if (iso === null || iso === undefined) return quiet(none);
  const at = new Date(iso);
  const isNear = Math.abs(Date.now() - at.getTime()) < DAY_MS / 2;
  return h('time', { datetime: iso, title: whole.format(at) }, (isNear ? clock : whole).format(at));
}

/** How far a moment is from now: `in 4 min`, `2 h ago`. */
export function from(iso) {
  const seconds = Math.round((Date.parse(iso) - Date.now()) / 1000);
  const size = Math.abs(seconds);
  const [amount, unit] =
    size < 90 ? [size, 's'] : size < 5400 ? [Math.round(size / 60), 'min'] : [Math.round(size / 3600), 'h'];
  return seconds < 0 ? `${amount} ${unit} ago` : `in ${amount} ${unit}`;
}

/** Facts in rows; those without a value are left out. */
export const facts = (...rows) =>
  h(
    'dl',
    {},
    rows
      .filter(([, value]) => value !== null && value !== undefined && value !== '')
      .map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]),
  );

/** Makes these the children of an element; those that are there already are not touched, and keep the focus. */
export function arrange(element, children) {
  const wanted = new Set(children);
  for (const child of [...element.children]) if (!wanted.has(child)) child.remove();
  for (const [at, child] of children.entries())
    if (element.children[at] !== child) element.insertBefore(child, element.children[at] ?? null);
}

let status = null;
/** Says something to whoever cannot see the page, politely. */
export function say(text) {
  status ??= document.body.appendChild(h('div', { class: 'unseen', role: 'status' }));
  status.textContent = text;
}
