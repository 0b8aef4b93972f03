/**
 * Text that people decide by, in which nothing is hidden or turned around: characters that cannot be seen, or that change
 * the order of others, become marks.
 */

export interface Stretch {
  readonly text: string;
  /** Stands for one character that cannot be seen: `U+202E`. */
  readonly isMark: boolean;
}

/** Controls, formats, what is not assigned, spaces of other widths, and letters that are drawn as nothing. */
const UNSEEN = /(?![ \n\t])[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/gu;

export function visible(text: string): readonly Stretch[] {
  const stretches: Stretch[] = [];
  let end = 0;
  for (const { 0: character, index } of text.matchAll(UNSEEN)) {
    if (index > end) stretches.push({ text: text.slice(end, index), isMark: false });
    stretches.push({ text: nameOf(character), isMark: true });
    end = index + character.length;
  }
  if (end < text.length) stretches.push({ text: text.slice(end), isMark: false });
  return stretches;
}

/** The same in one text, with the marks in brackets: `<U+202E>`. */
export const visibleText = (text: string): string =>
  visible(text)
    .map(({ text: part, isMark }) => (isMark ? `<${part}>` : part))
    .join("");

const nameOf = (character: string): string =>
  `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
