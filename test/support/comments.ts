/** The code with comments blanked; strings and templates stay, so that `//` inside one is no comment. */
export function withoutComments(code: string): string {
  const token = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g;
  return code.replace(token, (text) => (text.startsWith('/') ? ' ' : text));
}
