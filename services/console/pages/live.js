// Follows a stream of server-sent events by fetch, and resumes with the id of the last event, so that nothing is missed.
import { signal } from "@preact/signals";
import { session } from "./session.js";

export const connection = signal("connecting"); // connecting, live, lost
const SILENCE = 40_000; // a sign of life comes every 15 seconds
const LONGEST_PAUSE = 15_000;

export function follow(path, receive) {
  const control = new AbortController();
  let lastId = null;
  (async () => {
    for (let pause = 500; !control.signal.aborted; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      try {
        const headers = { accept: "text/event-stream", ...(lastId ? { "last-event-id": lastId } : {}) };
        const answer = await fetch(path, { headers, signal: control.signal, cache: "no-store", credentials: "same-origin" });
        if (answer.status === 401) { session.value = null; return; }
        if (answer.ok) {
          connection.value = "live";
          await read(answer.body.getReader(), (event) => {
            pause = 500;
            if (event.id) lastId = event.id;
            receive(event);
          });
        }
      } catch (error) {
        if (control.signal.aborted) return;
      }
      if (control.signal.aborted) return;
      connection.value = "lost";
      await waited(pause, control.signal);
    }
  })();
  return () => control.abort();
}

// Until the pause is over, or the browser says that the network is back.
function waited(pause, signal) {
  return new Promise((done) => {
    const end = () => { clearTimeout(timer); removeEventListener("online", end); done(); };
    const timer = setTimeout(end, pause);
    addEventListener("online", end, { once: true });
    signal.addEventListener("abort", end, { once: true });
  });
}

async function read(reader, receive) {
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const silence = setTimeout(() => reader.cancel(), SILENCE);
    const { value, done } = await reader.read().finally(() => clearTimeout(silence));
    if (done) return;
    rest += decoder.decode(value, { stream: true });
    const blocks = rest.split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const event = parsed(block);
      if (event.event) receive(event);
    }
  }
}

function parsed(block) {
  const members = {};
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) members[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
  }
  return members;
}
