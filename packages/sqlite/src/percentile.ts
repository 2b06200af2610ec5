/** A percentile (0 to 100) of ascending numbers by nearest rank; undefined where there are none. */
export function percentileOf(sorted: Float64Array, percent: number): number | undefined {
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
}
