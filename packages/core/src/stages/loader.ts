/** What tools need to send records through a stream without a pipeline; loaded by those that do. */
export { LineGate } from '../worker/line-gate.ts';
export { compileLineRule } from './line-rule.ts';
export { compileStages } from './stages.ts';
