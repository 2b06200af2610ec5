import { loadConfig, type LoadContext } from './load.ts';
import { planReload, type ReloadPlan } from './reload-plan.ts';

/**
 * What a reload from one config to the other would do to each stream.
 *
 * @throws ConfigError where one of them has mistakes.
 */
export function diffConfigs(
  from: string | object,
  to: string | object,
  context: LoadContext = {},
): ReloadPlan {
  return planReload(loadConfig(from, context).config, loadConfig(to, context).config);
}
