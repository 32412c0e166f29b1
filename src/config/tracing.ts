import { Fault } from '../base/fault.ts';
import { contradiction } from './contradiction.ts';
import { leaf } from './values/leaf.ts';
import * as s from './values/scalars.ts';

/** Where spans are posted to. The text may be a secret, so nothing shows more of it than its host. */
const collectorUrl = () =>
  leaf('URL', (value): URL | Fault => {
    const url = URL.parse(value);
    const isWhole =
      url !== null && ['http:', 'https:'].includes(url.protocol) && url.username + url.password + url.hash === '';
    if (!isWhole) return new Fault('is no URL without user and fragment; write https://HOST:4318/v1/traces');
    return url.pathname === '/' ? new Fault('has no path; write https://HOST:4318/v1/traces') : url;
  });

const isLoopback = ({ hostname }: URL): boolean => hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);

const otlp = (folder: string) =>
  s
    .section({
      url: collectorUrl().describe(
        'Where spans are posted to, as JSON over HTTP, with the whole path; no redirect is followed. Log and status show its host alone',
      ),
      headersFile: s
        .optional(s.path(folder))
        .describe('File with a header on each line, such as `authorization: Bearer …`; read again for each request'),
      tls: s
        .section({
          ca: s
            .optional(s.path(folder))
            .describe('PEM file of the authorities to trust instead of the system’s; read again for each connection'),
          certificate: s
            .optional(s.path(folder))
            .describe('PEM file of a client certificate, if the collector asks for one'),
          key: s.optional(s.path(folder)).describe('PEM file of its key'),
        })
        .check((ctx) => {
          const { certificate, key } = ctx.value;
          if ((certificate === null) !== (key === null))
            contradiction(
              ctx,
              [key === null ? 'key' : 'certificate'],
              'is missing: certificate and key belong together',
            );
        })
        .prefault({})
        .describe('How the collector is proven, where the URL is `https`'),
      unsafePlaintext: s.flag().describe('Sends spans and headers in the clear to a host that is not this one'),
    })
    .check((ctx) => {
      const { url, unsafePlaintext } = ctx.value;
      const isExposed = url.protocol === 'http:' && !isLoopback(url);
      if (isExposed && !unsafePlaintext)
        contradiction(ctx, ['url'], 'is http off the loopback address; write https, or set unsafePlaintext');
      if (!isExposed && unsafePlaintext) contradiction(ctx, ['unsafePlaintext'], 'is not needed; drop it');
    })
    .transform(({ tls: { ca, certificate, key }, ...rest }) => ({
      ...rest,
      ca,
      client: certificate === null || key === null ? null : { certificate, key },
    }));

/** The section `tracing`: what becomes a trace, and who gets it. */
export const tracing = (folder: string) =>
  s.section({
    otlp: otlp(folder).describe('The OpenTelemetry collector that gets the spans'),
    ratio: s
      .ratio()
      .prefault('0.01')
      .describe(
        'Of the checks that neither Envoy nor the request has a `traceparent` for, the part of which a trace begins here; all others follow the `sampled` flag of theirs',
      ),
    queue: s
      .count(16, 65_536)
      .prefault(2048)
      .describe('Checks whose spans may wait for the collector, about 3 KiB each; beyond that they are dropped'),
  });
