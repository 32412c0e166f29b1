import { add, h, say } from './dom.js';

/** Of more new rows than that at one time none is marked: it would be a flicker. */
const CALM = 5;

/**
 * A table with a caption. Columns: `[name, cell of an item]`; the last may have an empty name, for what can be done.
 * `key` names an item, so that it is shown once.
 */
export class Table {
  #body = h('tbody');
  #caption = h('caption');
  #foot = h('div', { class: 'more' });
  #columns;
  #key;
  /** What is in the table, from above: key and row. */
  #rows = [];

  constructor(columns, { key = (item) => item.id } = {}) {
    this.#columns = columns;
    this.#key = key;
    const heads = columns.map(([name]) =>
      h('th', { scope: 'col' }, name === '' ? h('span', { class: 'unseen' }, 'Actions') : name),
    );
    this.table = h('table', {}, this.#caption, h('thead', {}, h('tr', {}, heads)), this.#body);
    this.element = h('div', { class: 'sheet' });
  }

  /** Shows these items. `more`: asks for the next ones; null: there are none. */
  show(items, { caption, empty, more = null }) {
    this.#caption.textContent = caption;
    this.#rows = items.map((item) => [this.#key(item), this.#row(item)]);
    if (items.length === 0) {
      this.element.replaceChildren(empty);
      return;
    }
    this.#body.replaceChildren(...this.#rows.map(([, row]) => row));
    this.#foot.replaceChildren();
    if (more !== null) add(this.#foot, h('button', { type: 'button', onclick: more }, 'Show more'));
    this.element.replaceChildren(this.table, ...(more === null ? [] : [this.#foot]));
  }

  /** Puts items above the others, of which the last make room; the rest stays as it is, with what is read and marked in it. */
  prepend(items, most, caption) {
    this.#caption.textContent = caption;
    const known = new Set(this.#rows.map(([key]) => key));
    const fresh = items.filter((item) => !known.has(this.#key(item)));
    const rows = fresh.map((item) => [this.#key(item), this.#row(item, fresh.length <= CALM)]);
    this.#body.prepend(...rows.map(([, row]) => row));
    this.#rows = [...rows, ...this.#rows];
    for (const [, row] of this.#rows.splice(most)) row.remove();
  }

  #row(item, isNew = false) {
    const row = h('tr', isNew ? { class: 'new' } : {});
    for (const [name, cell] of this.#columns)
      add(row, h('td', name === '' ? { class: 'acts' } : { 'data-label': name }, cell(item)));
    return row;
  }
}

export const empty = (title, text) => h('div', { class: 'empty' }, h('h2', {}, title), h('p', {}, text));

/** A list that is read page by page. */
export class Listing {
  #items = [];
  #next = null;

  constructor(read, show) {
    Object.assign(this, { read, show });
  }

  async refresh() {
    const { items, next, covers } = await this.read(null);
    this.#items = items;
    this.#next = next;
    this.#render(covers);
  }

  async #more() {
    const { items, next, covers } = await this.read(this.#next);
    this.#items = [...this.#items, ...items];
    this.#next = next;
    say(`${items.length} more`);
    this.#render(covers);
  }

  #render(covers) {
    this.show(this.#items, covers, this.#next === null ? null : () => this.#more());
  }
}
