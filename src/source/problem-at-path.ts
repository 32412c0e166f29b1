import type { DataPath } from './yaml.ts';

/** Where the rules of the inventory put what they find: at the value, or the key, that the path leads to. */
export type Report = (path: DataPath, message: string) => void;
