/** Something that is wrong with an archive, or only odd. */
export interface VerifyFinding {
  readonly severity: 'damage' | 'note';
  /** The file's name. */
  readonly file: string;
  readonly message: string;
}
