// Answers that come line by line: a trial tells how far it is, and at last what it found.
import { Refusal, session } from "./session.js";

// Calls `heard` with each line of JSON as it comes. Ends early by `signal`, with an AbortError.
export async function readLines(path, body, heard, signal) {
  const headers = { "content-type": "application/json", "accept-language": document.documentElement.lang, "x-waymark-token": session.value.token };
  let answer;
  try {
    answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), cache: "no-store", credentials: "same-origin", signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, { code: "offline" });
  }
  if (!answer.ok) {
    if (answer.status === 401) session.value = null;
    throw new Refusal(answer.status, await answer.json().catch(() => ({})));
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value = "", done } = await reader.read();
    const rows = (rest + value).split("\n");
    rest = rows.pop();
    for (const row of rows) if (row) heard(JSON.parse(row));
    if (done) return;
  }
}
