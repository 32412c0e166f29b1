import { type Revocable, revocables } from '../../support/revocables.ts';
import { revocationFile, revokingWorld, rewrite } from '../../support/revoking.ts';
import type { Family, Scene } from './case.ts';

/** The same request before the revocation and after it. */
const revoking = ({ ask, entry, again }: Revocable): Scene => ({
  play: async () => {
    const world = await revokingWorld(revocationFile([]));
    try {
      const sent = ask(world);
      const good = await world.send(sent);
      await rewrite(world, revocationFile([entry(world, sent)]));
      return { good, bad: await world.send(again(world, sent)) };
    } finally {
      await world.stop();
    }
  },
});

export const revoked: Family<'revoked'> = {
  revoked_workload: revoking(revocables.revoked_workload),
  revoked_owner: revoking(revocables.revoked_owner),
  revoked_certificate: revoking(revocables.revoked_certificate),
  revoked_task: revoking(revocables.revoked_task),
  revoked_token: revoking(revocables.revoked_token),
  revoked_key: revoking(revocables.revoked_key),
  revoked_subject: revoking(revocables.revoked_subject),
};
