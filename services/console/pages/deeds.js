// What people do to issues. Taking is told at once, so that nobody takes it twice; what closes or silences is held back
// for ten seconds, in which it can be undone and nobody was told anything.
import { hide, load, remove, take, unhide } from "./inbox_list.js";
import { UNDO_MS, explain, hush, say } from "./notices.js";
import { call, session } from "./session.js";
import { texts } from "./words.js";

const pending = [];
const at = (issue, action) => `api/alerts/v1/issues/${issue.id}/${action}`;

async function tried(work, issue) {
  try {
    return await work();
  } catch (refusal) {
    say(explain(refusal));
    if (refusal.status === 409) take(await call("GET", `api/alerts/v1/issues/${issue.id}`).catch(() => issue));
    return null;
  }
}

export const takeIt = (issue) => tried(async () => {
  await call("POST", at(issue, "acknowledge"), {});
  const owned = await call("POST", at(issue, "assign"), { owner: session.value.label });
  take(owned);
  say(texts.value.done.taken, { undo: () => release(owned) });
  return owned;
}, issue);

export const release = (issue) => tried(async () => {
  const free = await call("POST", at(issue, "assign"), { owner: null });
  take(free);
  say(texts.value.done.released);
  return free;
}, issue);

export const writeNote = (issue, text) => tried(async () => {
  take(await call("POST", at(issue, "note"), { text }));
  say(texts.value.done.noted);
  return true;
}, issue);

export const reopen = (issue) => tried(async () => {
  take(await call("POST", at(issue, "reopen"), {}));
  say(texts.value.done.reopened);
  return true;
}, issue);

export function resolve(issue, resolution, note) {
  hold(issue, "resolve", { resolution, ...(note ? { note } : {}) }, texts.value.done.resolving, true);
}

export function snooze(issue, body) {
  hold(issue, "snooze", body, texts.value.done.snoozing, false);
}

// Keeps a deed for ten seconds. A page that closes sends it at once.
function hold(issue, action, body, text, leaves) {
  const back = leaves ? remove(issue.id) : () => {};
  if (leaves) hide(issue.id);
  const deed = { issue, action, body, back, timer: setTimeout(() => carryOut(deed), UNDO_MS) };
  pending.push(deed);
  say(text, { undo: () => undo(deed) });
}

export function undo(deed = pending[pending.length - 1]) {
  const place = pending.indexOf(deed);
  if (place < 0) return false;
  pending.splice(place, 1);
  clearTimeout(deed.timer);
  unhide(deed.issue.id);
  deed.back();
  hush();
  say(texts.value.done.undone);
  return true;
}

async function carryOut(deed, more = {}) {
  pending.splice(pending.indexOf(deed), 1);
  clearTimeout(deed.timer);
  try {
    take(await call("POST", at(deed.issue, deed.action), deed.body, more));
  } catch (refusal) {
    deed.back();
    say(explain(refusal), { lasts: UNDO_MS });
    if (refusal.status === 409) load();
  } finally {
    unhide(deed.issue.id);
  }
}

// Sends what is held back, because the page goes or somebody signs out.
export const flush = () => Promise.all([...pending].map((deed) => carryOut(deed, { keepalive: true })));
addEventListener("pagehide", flush);
