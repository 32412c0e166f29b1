/** The words of a text, between single spaces: a list of many short texts in few lines. */
export const words = (text: string): readonly string[] => text.split(' ');
