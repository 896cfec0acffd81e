// Who is signed in, and the way to the APIs: every call goes to this origin, with the cookie and, to change something, a token.
import { signal } from "@preact/signals";

export const session = signal(undefined); // undefined: not known yet; null: nobody
const RANK = { reader: 0, agent: 1, admin: 2 };
export const may = (role) => Boolean(session.value) && RANK[session.value.role] >= RANK[role];

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

export async function signIn(key) {
  session.value = await call("POST", "session", { key });
}

export async function signOut() {
  await call("DELETE", "session").catch(() => {});
  session.value = null;
}
