/** The orders that stand in the inbox, one a line. */
export default function inbox({ files }) {
  const [text = ''] = Object.values(files);
  return text.split('\n').filter((line) => line !== '');
}
