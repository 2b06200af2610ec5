import { LEVELS, type LoggerKeys } from '@treeline/contract';
import type { ParsedPrettyOptions } from './options.ts';

/** Options with what pino says of its logger, where they themselves say nothing: nobody has to name a key twice. */
export function withLoggerKeys(
  options: ParsedPrettyOptions,
  { messageKey, errorKey, levels }: LoggerKeys = {},
): ParsedPrettyOptions {
  const own = Object.entries(levels?.values ?? {}).filter(([name]) => !Object.hasOwn(LEVELS, name));
  const { errorLikeObjectKeys } = options;
  return {
    ...options,
    messageKey: options.messageKey === 'msg' ? (messageKey ?? 'msg') : options.messageKey,
    errorLikeObjectKeys:
      errorKey === undefined || errorLikeObjectKeys.includes(errorKey)
        ? errorLikeObjectKeys
        : [...errorLikeObjectKeys, errorKey],
    customLevels:
      options.customLevels.size > 0
        ? options.customLevels
        : new Map(own.map(([name, level]) => [name, String(level)])),
  };
}
