declare const proof: unique symbol;

/**
 * A value that one function alone makes, so that holding it proves what that function verified; `Name` keeps two proofs
 * apart. test/imports.test.ts pins the file that may write `as` such a type.
 */
export type Proven<Name extends string, T> = Readonly<T> & { readonly [proof]: Name };
