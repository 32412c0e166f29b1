import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';

const page = (wrong: string) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sign in</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { max-width: 20rem; margin: 15vh auto; padding: 0 1rem }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit }
input, button { margin: .25rem 0 1rem; padding: .5rem }
</style>
<h1>Sign in</h1>
<p role="alert">${wrong}</p>
<form method="post">
<label>Name <input name="name" autocomplete="username" autofocus required></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button>Sign in</button>
</form>
`;

/** Asks for a name and its password; gives the name once both are right, and null where it answered with the form. */
export async function nameByPassword(
  request: IncomingMessage,
  response: ServerResponse,
  passwordOf: (name: string) => string | undefined,
): Promise<string | null> {
  const given = new URLSearchParams(request.method === 'POST' ? await text(request) : '');
  const name = given.get('name') ?? '';
  const password = passwordOf(name);
  if (password !== undefined && given.get('password') === password) return name;
  const wrong = request.method === 'POST' ? 'The name or the password is wrong.' : '';
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page(wrong));
  return null;
}
