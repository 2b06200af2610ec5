import { jsonText, plainText } from './json-text.ts';
import { isInternalFrame, parseStack, relativeFrame } from './stack.ts';

/** Bounds of one printed error; what they cut is told where it was cut. */
const MAX_CAUSE_DEPTH = 10;
const MAX_ERRORS = 20;
const MAX_FRAMES = 100;

/** An error with its causes, read from what a serializer left of it. Texts are as they were logged, not yet escaped. */
export interface ErrorTree {
  /** `PaymentError [E_PAY]: charge failed`; may hold line feeds. */
  readonly head: string;
  /** Other properties, as key and JSON. */
  readonly props: readonly (readonly [string, string])[];
  readonly frames: readonly string[];
  /** The errors of an aggregate, then the cause. */
  readonly children: readonly { readonly label: string; readonly error: ErrorTree }[];
  /** Errors and causes beyond the bounds. */
  readonly cut: number;
}

const KNOWN_PROPS: ReadonlySet<string> = new Set([
  'type',
  'name',
  'message',
  'stack',
  'code',
  'cause',
  'errors',
  'aggregateErrors',
]);

/** Reads `err` as pino's and core's serializers write it: nested causes, or all of them flattened into `stack`. */
export function readErrorTree(value: unknown, depth = 0): ErrorTree {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return leaf(plainText(value));
  const fields = value as Record<string, unknown>;
  const [own, ...flattened] = parseStack(typeof fields['stack'] === 'string' ? fields['stack'] : '');
  const head = headOf(fields, flattened.length > 0 ? own?.head : undefined);
  const errors = childErrors(fields);
  const cause = causeOf(fields['cause'], flattened, depth);
  const atBound = depth >= MAX_CAUSE_DEPTH;
  const shown = atBound ? [] : errors.slice(0, MAX_ERRORS);
  return {
    head,
    props: Object.entries(fields)
      .filter(([key]) => !KNOWN_PROPS.has(key))
      .map(([key, prop]) => [key, jsonText(prop)] as const),
    frames: own?.frames ?? [],
    children: [
      ...shown.map((each, index) => ({ label: `[${index}] `, error: readErrorTree(each, depth + 1) })),
      ...(cause && !atBound ? [{ label: 'caused by ', error: cause }] : []),
    ],
    cut: errors.length - shown.length + (cause && atBound ? 1 : 0),
  };
}

function causeOf(
  cause: unknown,
  flattened: ReturnType<typeof parseStack>,
  depth: number,
): ErrorTree | undefined {
  if (cause !== undefined && cause !== null)
    return depth > MAX_CAUSE_DEPTH ? leaf('') : readErrorTree(cause, depth + 1);
  // pino's standard serializer joins the stacks of all causes with "caused by: ".
  const kept = flattened.slice(0, MAX_CAUSE_DEPTH);
  const start: ErrorTree | undefined =
    flattened.length > kept.length
      ? { ...leaf(`${flattened.length - kept.length} more`), cut: 0 }
      : undefined;
  return kept.reduceRight<ErrorTree | undefined>(
    (inner, { head, frames }) => ({
      head,
      frames,
      props: [],
      children: inner ? [{ label: 'caused by ', error: inner }] : [],
      cut: 0,
    }),
    start,
  );
}

function leaf(head: string): ErrorTree {
  return { head, props: [], frames: [], children: [], cut: 0 };
}

function childErrors(fields: Record<string, unknown>): readonly unknown[] {
  const errors = fields['aggregateErrors'] ?? fields['errors'];
  return Array.isArray(errors) ? errors : [];
}

/** pino adds the messages of the causes to `message`; the head of the stack is the error's own. */
function headOf(fields: Record<string, unknown>, stackHead: string | undefined): string {
  const type = plainText(fields['type'] ?? fields['name'] ?? 'Error');
  const code =
    fields['code'] === undefined || fields['code'] === null ? '' : ` [${plainText(fields['code'])}]`;
  if (stackHead !== undefined && stackHead.startsWith(`${type}: `))
    return `${type}${code}${stackHead.slice(type.length)}`;
  return `${type}${code}: ${plainText(fields['message'])}`;
}

/** How an error is printed. */
export interface ErrorFormat {
  readonly stack: 'app' | 'full' | 'none';
  /** Paths of frames are printed relative to it. */
  readonly cwd: string;
  readonly lastBranch: string;
  readonly branch: string;
  readonly line: string;
  readonly more: string;
  escape(text: string): string;
  paintHead(text: string): string;
  paintFrame(text: string): string;
  paintProps(text: string): string;
}

/** Prints an error as lines: its head, its frames, then its causes as a tree. */
export function formatErrorTree(error: ErrorTree, format: ErrorFormat): string[] {
  const budget = { frames: MAX_FRAMES };
  return formatNode(error, '', [], format, budget);
}

function formatNode(
  error: ErrorTree,
  label: string,
  outerFrames: readonly string[],
  format: ErrorFormat,
  budget: { frames: number },
): string[] {
  const [head = '', ...rest] = error.head.split(/\r?\n/).map((each) => format.escape(each));
  const props = error.props.map(([key, value]) => ` ${format.escape(`${key}=${value}`)}`).join('');
  const lines = [
    `${label}${format.paintHead(head)}${props === '' ? '' : format.paintProps(` ${props}`)}`,
    ...rest.map((each) => `  ${format.paintHead(each)}`),
    ...formatFrames(error.frames, outerFrames, format, budget).map((each) => `  ${each}`),
  ];
  const { children } = error;
  for (const [index, child] of children.entries()) {
    const isLast = index === children.length - 1 && error.cut === 0;
    const inner = formatNode(child.error, child.label, error.frames, format, budget);
    lines.push(
      ...inner.map((each, row) => {
        if (row === 0) return `${isLast ? format.lastBranch : format.branch} ${each}`;
        return `${isLast ? ' ' : format.line} ${each}`;
      }),
    );
  }
  if (error.cut > 0) lines.push(`${format.lastBranch} ${format.more} ${error.cut} more`);
  return lines;
}

function formatFrames(
  frames: readonly string[],
  outer: readonly string[],
  format: ErrorFormat,
  budget: { frames: number },
): string[] {
  if (format.stack === 'none') return [];
  const inCommon = commonSuffix(frames, outer);
  const own = frames.slice(0, frames.length - inCommon);
  const lines: string[] = [];
  let folded = 0;
  const unfold = (): void => {
    if (folded > 0) lines.push(format.paintFrame(`${format.more} ${counted(folded, 'internal frame')}`));
    folded = 0;
  };
  for (const [index, frame] of own.entries()) {
    if (format.stack === 'app' && isInternalFrame(frame)) folded++;
    else if (budget.frames === 0) {
      unfold();
      lines.push(format.paintFrame(`${format.more} ${counted(own.length - index, 'more frame')}`));
      return lines;
    } else {
      unfold();
      budget.frames--;
      lines.push(format.paintFrame(format.escape(relativeFrame(frame, format.cwd))));
    }
  }
  unfold();
  if (inCommon > 0) lines.push(format.paintFrame(`${format.more} ${counted(inCommon, 'frame')} in common`));
  return lines;
}

function commonSuffix(frames: readonly string[], outer: readonly string[]): number {
  let count = 0;
  while (count < frames.length && count < outer.length && frames.at(-1 - count) === outer.at(-1 - count))
    count++;
  return count;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** An error on one line: its head and its first cause. Not yet escaped. */
export function summarizeError(error: ErrorTree): string {
  const cause = error.children.find(({ label }) => label.startsWith('caused by'));
  return cause ? `${error.head}, caused by ${cause.error.head}` : error.head;
}
