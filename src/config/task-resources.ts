import { Fault } from '../base/fault.ts';
import { leaf } from './values/leaf.ts';
import * as s from './values/scalars.ts';

const MAX_TYPES = 64;
const MAX_FIELDS = 16;

const parameter = () =>
  leaf('parameter', (value) =>
    /^[A-Za-z][A-Za-z0-9_]*$/.test(value)
      ? value
      : new Fault('is not the name of a parameter, as in /invoices/{invoice}'),
  );

const detailsType = () =>
  s.section({
    type: s.text().describe('The exact `type` of an entry'),
    api: s.text().describe('The api of the inventory that it is about, as `host/name`'),
    parameters: s
      .mapping(parameter(), s.text())
      .prefault({})
      .describe(
        'For each parameter of the path of the api, the field of the entry that has its value; an entry without it covers nothing',
      ),
    ignore: s
      .list(s.text(), MAX_FIELDS, s.self)
      .prefault([])
      .describe('Fields that limit nothing, such as `locations`; an entry with any other field covers nothing'),
  });

const resourcesClaim = () =>
  s.section({
    claim: s.claim().describe('The claim that lists what a task is about'),
    types: s
      .optional(s.list(detailsType(), MAX_TYPES, ({ type }) => type))
      .describe(
        'What entries of each type (RFC 9396) are about; an entry of any other type covers nothing; left out: an entry has `api` and `parameters`',
      ),
  });

const ABOUT =
  'Where its tokens say what a task is about, see [tasks.md](tasks.md#a-task-for-one-thing); off: they are not limited so';

/** `resources` of an issuer; off unless it is stated. */
export const resources = () => s.orOff(resourcesClaim()).prefault('off').describe(ABOUT);

/** The same of access tokens: `authorization_details` limits what they open, also where no type is known. */
export const accessResources = () =>
  s.orOff(resourcesClaim()).prefault({ claim: '/authorization_details', types: [] }).describe(ABOUT);
