import * as v from 'valibot';

/** The schema of a gateway's routes file: which models stand behind a name, tried in this order. */
export const routesConfig = v.strictObject({
  idleTimeoutMs: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(600_000)), 30_000),
  routes: v.record(v.string(), v.pipe(v.array(v.string()), v.minLength(1))),
});

export type RoutesConfig = v.InferOutput<typeof routesConfig>;

/** The models behind a name; undefined where there is no such route. */
export function findRoute(config: RoutesConfig, name: string): readonly string[] | undefined {
  return Object.hasOwn(config.routes, name) ? config.routes[name] : undefined;
}
