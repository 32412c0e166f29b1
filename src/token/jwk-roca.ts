/**
 * RSA keys of one broken generator (ROCA, CVE-2017-15361) have moduli that are powers of 65537 modulo every small
 * prime. A sound modulus passes for one about once in 2^27.
 */
const smallPrimes = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113,
  127, 131, 137, 139, 149, 151, 157, 163, 167,
];
const powersOf65537 = smallPrimes.map((prime) => ({ prime: BigInt(prime), powers: powers(prime) }));

function powers(prime: number): ReadonlySet<number> {
  const found = new Set<number>();
  for (let power = 1; !found.has(power); power = (power * 65537) % prime) found.add(power);
  return found;
}

/** Whether an RSA modulus carries the fingerprint of the ROCA generator, so that its factors can be computed. */
export function hasRocaFingerprint(modulus: bigint): boolean {
  return powersOf65537.every(({ prime, powers }) => powers.has(Number(modulus % prime)));
}
