/** What a logger needs that begins by holding its records back. */
export { StartUpBuffer } from './start-up-buffer.ts';
