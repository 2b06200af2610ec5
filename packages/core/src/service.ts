import type { PipelineConfig } from './config/config.ts';

/** The service that logs without one belong to. */
const UNNAMED_SERVICE = 'app';

/** The name under which a config's logs are kept and adopted. */
export function serviceOf(config: Pick<PipelineConfig, 'serviceName'>): string {
  return config.serviceName || UNNAMED_SERVICE;
}
