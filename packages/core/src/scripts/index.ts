export {
  createScriptLog,
  receiveScriptLog,
  type ScriptLevel,
  type ScriptLog,
  type ScriptLogOptions,
} from './script-log.ts';
