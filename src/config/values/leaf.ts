import * as z from 'zod';
import { Fault } from '../../base/fault.ts';

const MAX_TEXT = 4096;
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

function textFault(value: string): string | null {
  if (value === '') return 'is empty; write a value, or leave the key out';
  if (value.length > MAX_TEXT) return `is longer than ${MAX_TEXT} characters`;
  if (CONTROL.test(value) || !value.isWellFormed()) return 'holds a control character or broken Unicode';
  return null;
}

/**
 * A leaf made of text: `title` is its name in the reference, `read` turns the text into the value, or says what to write
 * instead. `pattern` is what an editor can tell of that, as JSON Schema takes it.
 */
export function leaf<T>(title: string, read: (text: string) => T | Fault, pattern?: string) {
  return z
    .string({ error: `is not a text; write ${title}, in quotes if need be` })
    .transform((text, ctx): T => {
      const fault = textFault(text);
      const value = fault === null ? read(text) : new Fault(fault);
      if (!(value instanceof Fault)) return value;
      ctx.addIssue({ code: 'custom', message: value.detail });
      return z.NEVER;
    })
    .meta({ title, ...(pattern === undefined ? {} : { pattern }) });
}
