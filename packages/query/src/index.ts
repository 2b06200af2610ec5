export { closest } from './closest.ts';
export {
  formatDirectives,
  levelForName,
  nameSegments,
  parseDirectives,
  type DirectiveError,
  type LevelDirective,
  type ParsedDirectives,
} from './directives.ts';
