import type { ServerName } from '../shapes.ts';
import type { Checks, ServerFigures } from './record.ts';

const BARS: readonly (readonly [name: ServerName, title: string, colour: string])[] = [
  ['product', 'cedar-ext-authz', '#2563eb'],
  ['miss', 'cedar-ext-authz', '#2563eb'],
  ['heimdall', 'Heimdall', '#d97706'],
  ['floor', 'floor: allows everything', '#9ca3af'],
  ['raw', 'floor without protobuf', '#d1d5db'],
];
const [LEFT, WIDTH, BAR, GAP, TOP] = [130, 560, 12, 14, 54];

/** CPU of one check by shape and server at 64 in flight: the median as a bar, minimum and maximum as a line. */
export function plot({ shapes, date, commit, machine }: Checks): string {
  const all = Object.entries(shapes).flatMap(([shape, { servers }]) =>
    BARS.flatMap(([name, , colour]) => {
      const figures = servers[name];
      return figures === undefined ? [] : [{ shape, colour, full: figures.full }];
    }),
  );
  const most = Math.max(...all.map(({ full }) => full.micros[2]));
  const scale = (micros: number): number => Math.round((micros / most) * WIDTH * 10) / 10;
  let y = TOP;
  let last = '';
  const bars = all.map(({ shape, colour, full }) => {
    if (shape !== last) y += last === '' ? 0 : GAP;
    const title = shape === last ? '' : text(LEFT - 8, y + 10, shape, 'end');
    last = shape;
    const drawn = title + bar(y, colour, full, scale);
    y += BAR + 2;
    return drawn;
  });
  const legend = BARS.filter(([name]) => name !== 'miss').map(
    ([, title, colour], at) =>
      `<rect x="${LEFT + at * 145}" y="30" width="10" height="10" fill="${colour}"/>${text(LEFT + at * 145 + 15, 39, title)}`,
  );
  const height = y + 24;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${LEFT + WIDTH + 70} ${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    text(8, 18, 'CPU microseconds of the server for one check, 64 in flight: median, with minimum and maximum'),
    ...legend,
    ...bars,
    text(8, height - 8, `${date}, ${commit}, ${machine}`),
    '</svg>\n',
  ].join('\n');
}

function bar(
  y: number,
  colour: string,
  { micros: [min, median, max] }: ServerFigures,
  scale: (of: number) => number,
): string {
  const middle = y + BAR / 2;
  return (
    `<rect x="${LEFT}" y="${y}" width="${scale(median)}" height="${BAR}" fill="${colour}"/>` +
    `<path d="M${LEFT + scale(min)} ${middle}H${LEFT + scale(max)}" stroke="#111827"/>` +
    text(LEFT + scale(Math.max(median, max)) + 6, y + 10, String(Math.round(median)))
  );
}

function text(x: number, y: number, content: string, anchor = 'start'): string {
  return `<text x="${x}" y="${y}" fill="#111827" text-anchor="${anchor}">${content}</text>`;
}
