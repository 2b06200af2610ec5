import type { Glyphs } from './glyphs.ts';

/** Prints a duration in the unit that suits it, with so many significant figures (`18.9ms`, `1.20s`, `2m05s`). */
export function formatSpanDuration(ms: number, figures: number, glyphs: Glyphs): string {
  if (!Number.isFinite(ms) || ms < 0) return '?ms';
  if (ms >= 3_600_000) return `${Math.floor(ms / 3_600_000)}h${twoDigits(Math.floor(ms / 60_000) % 60)}m`;
  if (ms >= 59_999.5) return `${Math.floor(ms / 60_000)}m${twoDigits(Math.floor(ms / 1000) % 60)}s`;
  if (ms >= 999.5) return `${withFigures(ms / 1000, figures)}s`;
  if (ms >= 1 || ms === 0) return `${withFigures(ms, figures)}ms`;
  return `${withFigures(ms * 1000, figures)}${glyphs.micro}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

/** Never in exponents: figures before the point are all printed. */
function withFigures(value: number, figures: number): string {
  const before = value < 1 ? 1 : Math.floor(Math.log10(value) + 1e-9) + 1;
  return value === 0 ? '0' : value.toFixed(Math.max(0, figures - before));
}
