// Who is signed in, and the way to the APIs: every call goes to this origin, with the cookie and, to change something, a token.
import { signal } from "@preact/signals";

export const session = signal(undefined); // undefined: not known yet; null: nobody
export const may = (right) => Boolean(session.value?.rights.includes(right));

export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.code ?? `status ${status}`);
    this.status = status;
    this.code = problem.code ?? "";
    this.message = problem.message ?? "";
  }
}

export async function call(method, path, body, more = {}) {
  const headers = { accept: "application/json", "accept-language": document.documentElement.lang };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (method !== "GET" && session.value) headers["x-waymark-token"] = session.value.token;
  let answer;
  try {
    answer = await fetch(path, {
      method, headers, cache: "no-store", credentials: "same-origin",
      body: body === undefined ? undefined : JSON.stringify(body), ...more,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, { code: "offline" });
  }
  const content = answer.status === 204 ? null : await answer.json().catch(() => ({}));
  if (answer.ok) return content;
  if (answer.status === 401 && path !== "session") session.value = null;
  throw new Refusal(answer.status, content ?? {});
}

export async function findSession() {
  try {
    session.value = await call("GET", "session");
  } catch (error) {
    session.value = null;
  }
}

// What stands at the door besides the field for a key: the name of the company's provider, or null.
export async function findProvider() {
  return (await call("GET", "session/ways").catch(() => null))?.provider ?? null;
}

export async function signIn(key) {
  session.value = await call("POST", "session", { key });
}

export async function signOut() {
  const left = await call("DELETE", "session").catch(() => null);
  session.value = null;
  if (left?.leads_to) location.assign(left.leads_to);
}
