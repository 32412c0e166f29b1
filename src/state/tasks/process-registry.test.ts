import { registrySuite } from '../../../test/support/registry-suite.ts';
import { ProcessRegistry } from './process-registry.ts';

registrySuite({
  name: 'memory',
  covers: 'this process',
  make: async (_, limits) => [new ProcessRegistry(limits)],
});
