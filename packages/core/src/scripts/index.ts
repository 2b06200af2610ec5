export {
  createScriptLog,
  receiveScriptLog,
  type ScriptLevel,
  type ScriptLog,
  type ScriptLogLimits,
  type ScriptLogOptions,
} from './script-log.ts';
