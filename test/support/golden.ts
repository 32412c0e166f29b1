import { Document, isMap, isScalar, isSeq, parseDocument, visit, type YAMLMap, type YAMLSeq } from 'yaml';
import * as z from 'zod';
import { type Issued, urlEncodedPem } from './ca.ts';
import { minting, type TokenKind, tokenKinds } from './golden-tokens.ts';
import type { WireHeader, WireResponse } from './golden-wire.ts';
import { apiKeys } from './legacy.ts';
import type { Answer, Ask, World } from './world.ts';
import { type WorldName, worlds } from './world-kinds.ts';

/**
 * A golden case: one request as a person writes it down, and the whole CheckResponse and audit record that it gets.
 * test/cases/README.md says how the files are read.
 */

const token = z.partialRecord(z.enum(tokenKinds), z.record(z.string(), z.unknown()));
const header = z.union([
  z.string(),
  z.strictObject({ Bearer: token }),
  z.strictObject({ DPoP: token }),
  z.strictObject({ certificates: z.array(z.string()) }),
  z.strictObject({ 'api-key': z.enum(Object.keys(apiKeys) as [keyof typeof apiKeys]) }),
  token,
]);
const schema = z.strictObject({
  world: z.enum(Object.keys(worlds) as [WorldName, ...WorldName[]]).prefault('mesh'),
  request: z.strictObject({
    /** SPIFFE ID of the certificate that the caller shows; absent: it shows none. */
    svid: z.string().optional(),
    /** METHOD scheme://host/path */
    line: z.string().regex(/^[A-Z]+ https?:\/\/[^/]+\//),
    headers: z.record(z.string(), header).prefault({}),
    /** `context_extensions` of the route. */
    route: z.record(z.string(), z.string()).prefault({}),
    /** Address of the caller. */
    from: z.string().optional(),
  }),
  response: z.unknown().optional(),
  audit: z.unknown().optional(),
});

/** Characters of a list or mapping that stands on one line. */
const SHORT = 110;

export type GoldenCase = z.infer<typeof schema>;
type Header = z.infer<typeof header>;

/** Reads a case. Throws for a key that is none. */
export function readGolden(text: string): GoldenCase {
  return schema.parse(parseDocument(text, { strict: true }).toJS());
}

/** The file with what came out now in place of what it expects; comments and request stay. */
export function updated(text: string, answer: Answer): string {
  const request = text.split(/^response:/m)[0]!.trimEnd();
  return `${request}\n\n${rendered(answer)}`;
}

/** The request that the case states. */
export function askOf({ request }: GoldenCase, world: World): Ask {
  const svids = new Map<string, Issued>();
  const svidOf = (id: string): Issued => {
    const known = svids.get(id) ?? authorityOf(id, world).svid(id);
    svids.set(id, known);
    return known;
  };
  const svid = request.svid === undefined ? null : svidOf(request.svid);
  const minted = minting(world.keys, svid);
  const textOf = (value: Header): string => {
    if (typeof value === 'string') return value;
    const [word = '', content] = Object.entries(value)[0] ?? [];
    if (word === 'Bearer' || word === 'DPoP') return `${word} ${textOf(content as Header)}`;
    if (word === 'api-key') return apiKeys[content as keyof typeof apiKeys];
    if (word !== 'certificates') return minted(word as TokenKind, content as object as Record<string, unknown>);
    return (content as readonly string[]).map((id) => `Cert="${urlEncodedPem(svidOf(id))}"`).join(',');
  };
  const [, method = '', scheme = '', host = '', path = ''] =
    /^([A-Z]+) (https?):\/\/([^/]+)(\/.*)$/.exec(request.line) ?? [];
  const headers = Object.entries(request.headers).map(([name, value]) => [name, textOf(value)] as const);
  return {
    svid,
    method,
    scheme,
    host,
    path,
    route: request.route,
    headers: Object.fromEntries(headers),
    ...(request.from === undefined ? {} : { address: request.from }),
  };
}

const authorityOf = (id: string, { keys }: World) =>
  id.startsWith('spiffe://partner.example/') ? keys.partnerCa : keys.ca;

/** What came out, as it stands in a case: whatever changes from run to run is replaced by its kind. */
export function rendered({ wire, audit, decision }: Answer): string {
  const response = responseOf(wire);
  const { time, boot, seq, prev, micros, ...record } = audit;
  const measured = { ...record, micros: Object.keys(micros as object) };
  const document = new Document(steady({ response, audit: measured }, decision), { aliasDuplicateObjects: false });
  visit(document, {
    Map: (_, node) => {
      if (node.items.every(({ value }) => isScalar(value) || isEmpty(value))) node.flow = isShort(node);
    },
    Seq: (_, node) => {
      if (node.items.every((item) => isScalar(item))) node.flow = isShort(node);
    },
  });
  return document.toString({ lineWidth: 120, flowCollectionPadding: true });
}

const isShort = (node: YAMLMap | YAMLSeq): boolean => JSON.stringify(node).length < SHORT;

const isEmpty = (node: unknown): boolean => (isMap(node) || isSeq(node)) && node.items.length === 0;

function responseOf({ status, denied, ok, metadata, others }: WireResponse): object {
  return {
    status,
    ...(denied === null
      ? {}
      : { denied: { ...denied, headers: denied.headers.map(option), body: JSON.parse(denied.body) as object } }),
    ...(ok === null
      ? {}
      : { ok: { headers: ok.headers.map(option), remove: ok.remove, toCaller: ok.toCaller.map(option) } }),
    metadata,
    ...(others.length === 0 ? {} : { others }),
  };
}

/** The two ways in which headers are written, by name; any other in full. */
function option({ key, value, append, action, keepEmpty }: WireHeader): object {
  if (append === false && action === 2 && keepEmpty) return { replace: key, value };
  if (append === true && action === 0 && keepEmpty) return { add: key, value };
  return { key, value, append, action, keepEmpty };
}

/** Members that differ between two runs of one request, with what stands there instead. */
const VOLATILE: ReadonlyMap<string, string> = new Map([
  ['secondsLeft', '<seconds>'],
  ['credentialAge', '<seconds>'],
  ['seq', '<number>'],
]);

function steady(value: unknown, decision: string, name = ''): unknown {
  if (typeof value === 'number') return VOLATILE.get(name) ?? value;
  if (typeof value === 'string') return steadyText(value, decision, name);
  if (Array.isArray(value)) return value.map((item) => steady(item, decision));
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([key, member]) => [key, steady(member, decision, key)]);
  return Object.fromEntries(members);
}

function steadyText(text: string, decision: string, name: string): string {
  if (name === 'revision') return '<digest>';
  if (name === 'id' && text.startsWith('check-')) return '<check>';
  return text
    .replaceAll(decision, '<decision>')
    .replaceAll(/sha256:[0-9a-f]{64}/g, '<digest>')
    .replaceAll(/[0-9]{10}\.[A-Za-z0-9_-]{22}/g, '<nonce>');
}
