/** What a logger needs once it has level directives. */
export { DirectiveLevels } from './directive-levels.ts';
