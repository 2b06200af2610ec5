// Makes the picture of the printer in docs/pretty.svg from what a terminal was sent:
//   script -qec "stty cols 104; npm start" capture.txt
//   node scripts/picture.mjs capture.txt 6 36 > docs/pretty.svg
import { readFileSync } from 'node:fs';

const [file, from = '1', to = '30'] = process.argv.slice(2);
const CELL = 7.8;
const LINE = 18;
const MARGIN = 16;
const FOREGROUND = '#d4d7dd';
const COLORS = {
  31: '#f4756b',
  32: '#7bc275',
  33: '#e0b458',
  34: '#6ea8fe',
  35: '#c792ea',
  36: '#5cc8c2',
  92: '#a5e39b',
  94: '#9cc4ff',
  95: '#e0b3ff',
  96: '#93e8e3',
  97: '#ffffff',
};

const lines = readFileSync(file, 'utf8')
  .split(/\r?\n/)
  .slice(Number(from) - 1, Number(to));
const rows = lines.map(runsOf);
const columns = Math.max(...rows.map((runs) => runs.reduce((sum, { text }) => sum + text.length, 0)));
const width = Math.ceil(columns * CELL + 2 * MARGIN);
const height = rows.length * LINE + 2 * MARGIN;

process.stdout
  .write(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="Requests in a terminal, printed as trees">
<rect width="100%" height="100%" rx="8" fill="#15181e"/>
<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="13" fill="${FOREGROUND}" xml:space="preserve">
${rows.map(rowSvg).join('\n')}
</g>
</svg>
`);

/** The runs of one line that are painted alike. */
function runsOf(line) {
  const runs = [];
  let style = [];
  for (const [, codes, text] of line.matchAll(/\u001b\[([\d;]*)m|([^\u001b]+)/g)) {
    if (text !== undefined) runs.push({ text, style });
    else style = codes === '0' || codes === '' ? [] : [...style, ...codes.split(';')];
  }
  return runs;
}

function rowSvg(runs, row) {
  const y = MARGIN + row * LINE + 13;
  let column = 0;
  const parts = runs.map(({ text, style }) => {
    const x = (MARGIN + column * CELL).toFixed(1);
    column += text.length;
    if (text.trim() === '') return '';
    const fill = style.map((code) => COLORS[code]).findLast((color) => color !== undefined);
    const paint = `${fill === undefined ? '' : ` fill="${fill}"`}${style.includes('1') ? ' font-weight="bold"' : ''}${style.includes('2') ? ' opacity="0.55"' : ''}`;
    // So wide whatever font there is.
    return `<tspan x="${x}" textLength="${(text.length * CELL).toFixed(1)}"${paint}>${escapeXml(text)}</tspan>`;
  });
  return `<text y="${y}">${parts.join('')}</text>`;
}

function escapeXml(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
