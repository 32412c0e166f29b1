import type { Inventory } from '../../inventory/inventory.ts';
import type { Cedar } from '../../policy/decide/engine.ts';
import { expressions, operand, pathOf, stringsOf } from '../../policy/lint/ast.ts';
import { namedBy } from '../../policy/load/parsed-set.ts';
import type { ReadPolicy } from '../read-policies.ts';
import { readClaimFolder, SHIPPED_CLAIMS } from './claim-files.ts';
import { readClaims } from './claims.ts';
import { type InventoryFact, inventoryFacts } from './inventory-facts.ts';
import type { Proving } from './prove.ts';
import { type Rule, readRule } from './rules.ts';

/** Policies in force and the inventories that they are compared in: only what all of these say is a fact. */
export interface Estate {
  readonly schema: string;
  readonly policies: readonly ReadPolicy[];
  readonly inventories: readonly Inventory[];
  /** Further policies that name entities. */
  readonly others?: readonly Pick<Rule, 'json'>[];
}

/** What is proved about an estate, with the shipped facts. */
export async function provingOf(
  { schema, policies, inventories, others = [] }: Estate,
  parts: Parameters<typeof readClaims>[1],
  tell: (note: string) => void,
): Promise<Proving> {
  const { facts } = await readClaimFolder(SHIPPED_CLAIMS);
  const inForce = policies.filter(({ shadow }) => !shadow);
  const more = (named: readonly Pick<Rule, 'json'>[]): readonly Rule[] => {
    const all = [...inForce, ...others, ...named];
    const [first = [], ...rest] = inventories.map((one) => estateFacts(one, all, parts.cedar, tell));
    return first.filter(({ text }) => rest.every((some) => some.some((fact) => fact.text === text)));
  };
  const files = [{ claims: [], facts }];
  const read = readClaims({ files, schema, namespace: 'Mesh', policies: inForce, alone: false, more }, parts);
  if (!('proving' in read)) throw new Error('the shipped facts are none');
  return read.proving;
}

/** The facts of an estate for the policies that name something of it; `tell` hears of what the inventory says too much of. */
export function estateFacts(
  inventory: Inventory,
  policies: readonly Pick<Rule, 'json'>[],
  cedar: Cedar,
  tell: (note: string) => void,
): readonly Rule[] {
  const { facts, left } = inventoryFacts(inventory, namedBy(policies));
  for (const what of left)
    tell(`the inventory tells too many ${what} apart for a solver: what it says of them is not known to it`);
  return [...facts, ...numberFacts(policies)].map(({ id, text }) => readRule(id, text, cedar));
}

/** The numbers in headers that policies read are not negative, and are held exactly. */
function numberFacts(policies: readonly Pick<Rule, 'json'>[]): readonly InventoryFact[] {
  const nodes = policies.flatMap(({ json }) => [...expressions(json)]);
  const tests = nodes.filter(
    (node) => node.operator === 'hasTag' && pathOf(operand(node, 'left')) === 'context.numbers',
  );
  const names = new Set(tests.flatMap((node) => stringsOf(operand(node, 'right'))));
  return [...names].map((name, index) => {
    const [tag, id] = [JSON.stringify(name), `number-${index}-is-held-exactly`];
    const value = `context.numbers.getTag(${tag})`;
    const condition = `context.numbers.hasTag(${tag}) && (${value} < 0 || ${value} > ${Number.MAX_SAFE_INTEGER})`;
    return { id, text: `@id("${id}")\nforbid (principal, action, resource) when { ${condition} };` };
  });
}
