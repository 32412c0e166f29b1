import { Problem, post } from './api.js';
import { h, mono, say, time } from './dom.js';

/** Why somebody did it, for the audit. */
const MAX_REASON = 500;

/**
 * Asks for an order in three steps: what and why, what it would do, and whether it shall be done, by another button in another
 * place. The answer says when it was in force. `preview(reason)` gives lines of text, or null where nothing can be told
 * beforehand; `path` and `body(reason)` are what is sent; `least`: characters of
 * the reason.
 */
export function order({ title, about, fields = [], grave = true, least = 1, verb, preview, path, body, done }) {
  const key = crypto.randomUUID();
  const opener = document.activeElement;
  const fault = h('p', { class: 'fault', role: 'alert' });
  const reason = h('textarea', {
    required: true,
    minlength: least,
    maxlength: MAX_REASON,
    name: 'reason',
    autocomplete: 'off',
  });
  const step = h('div', { class: 'effect', hidden: true });
  const look = h('button', { class: 'main', type: 'submit' }, 'Preview the effect');
  const cancel = h('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel');
  const form = h(
    'form',
    { method: 'dialog', novalidate: true, onsubmit: begin },
    h('h2', { id: 'order-title' }, title),
    about,
    fields,
    h('label', {}, h('span', {}, 'Reason ', h('span', { class: 'quiet' }, '(kept in the audit)')), reason),
    fault,
    h('div', { class: 'acts' }, cancel, look),
    step,
  );
  const dialog = h('dialog', { 'aria-labelledby': 'order-title', onclose: ended }, form);
  document.body.append(dialog);
  dialog.showModal();
  (fields.length > 0 ? form.querySelector('input, select') : reason).focus();

  function ended() {
    dialog.remove();
    if (opener?.isConnected) opener.focus();
    else document.getElementById('main')?.focus();
  }

  function tell(problem) {
    fault.replaceChildren();
    if (typeof problem === 'string') fault.textContent = problem;
    else
      fault.textContent =
        problem instanceof Problem ? problem.message : 'This page failed: look whether it was ordered.';
    if (problem.code === 'sign_in_too_old')
      fault.append(
        ' ',
        h('a', { href: `/sign-in?fresh=true&return=${encodeURIComponent(`/${location.hash}`)}` }, 'Sign in again'),
      );
  }

  function invalid() {
    for (const field of form.querySelectorAll('input, select, textarea')) {
      const isWrong = !field.checkValidity() || (field === reason && reason.value.trim().length < least);
      field.setAttribute('aria-invalid', String(isWrong));
      if (!isWrong) continue;
      tell(
        field === reason
          ? `Say why${least > 1 ? `, in at least ${least} characters` : ''}: it stands in the audit.`
          : `${field.dataset.name ?? field.name}: ${field.validationMessage}`,
      );
      field.focus();
      return true;
    }
    return false;
  }

  async function begin(event) {
    event.preventDefault();
    tell('');
    if (invalid()) return;
    look.disabled = true;
    try {
      const lines = await preview(reason.value);
      const confirm = h(
        'button',
        { class: grave ? 'grave' : 'main', type: 'button', onclick: () => carryOut(confirm) },
        verb(),
      );
      step.replaceChildren(
        h('h2', {}, 'What it does'),
        ...lines.map((line) => h('p', {}, line)),
        h('div', {}, confirm),
      );
      step.hidden = false;
      confirm.focus();
      for (const field of form.querySelectorAll('input, select, textarea')) field.disabled = true;
      look.hidden = true;
    } catch (problem) {
      tell(problem);
      look.disabled = false;
    }
  }

  async function carryOut(button) {
    button.disabled = true;
    tell('');
    try {
      const answer = await post(path(), body(reason.value), key);
      const replicas =
        typeof answer.replicas === 'number'
          ? `, on ${answer.replicas} ${answer.replicas === 1 ? 'replica' : 'replicas'}`
          : '';
      step.replaceChildren(
        h('h2', {}, 'Done'),
        h(
          'p',
          {},
          'In force from ',
          time(answer.at ?? new Date().toISOString()),
          ` for ${answer.covers ?? 'all'}${replicas}.`,
        ),
        ...(answer.id === undefined ? [] : [h('p', { class: 'quiet' }, 'Its id: ', mono(answer.id))]),
      );
      cancel.textContent = 'Close';
      cancel.focus();
      say(`${title}: done`);
      done();
    } catch (problem) {
      tell(problem);
      button.disabled = false;
    }
  }
}

export const choice = (name, label, options) =>
  h(
    'label',
    {},
    label,
    h(
      'select',
      { name, 'data-name': label },
      options.map(([value, text]) => h('option', { value }, text)),
    ),
  );
