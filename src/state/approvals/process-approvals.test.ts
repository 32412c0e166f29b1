import { approvalSuite } from '../../../test/support/approval-suite.ts';
import { ProcessApprovals } from './process-approvals.ts';

approvalSuite({ name: 'memory', covers: 'this process', make: async () => [new ProcessApprovals()] });
