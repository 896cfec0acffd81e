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

export const resolve = (issues, resolution, note) => hold(issues, "resolve", { resolution, ...(note ? { note } : {}) }, texts.value.done.resolving(issues.length), true);
export const snooze = (issues, body) => hold(issues, "snooze", body, texts.value.done.snoozing(issues.length), false);

// Keeps a deed for ten seconds. A page that closes sends it at once.
function hold(issues, action, body, text, leaves) {
  const backs = issues.map((issue) => (leaves ? remove(issue.id) : () => {})).reverse();
  if (leaves) issues.forEach((issue) => hide(issue.id));
  const deed = { issues, action, body, back: () => backs.forEach((back) => back()), timer: setTimeout(() => carryOut(deed), UNDO_MS) };
  pending.push(deed);
  say(text, { undo: () => undo(deed) });
}

export function undo(deed = pending[pending.length - 1]) {
  const place = pending.indexOf(deed);
  if (place < 0) return false;
  pending.splice(place, 1);
  clearTimeout(deed.timer);
  deed.issues.forEach((issue) => unhide(issue.id));
  deed.back();
  hush();
  say(texts.value.done.undone);
  return true;
}

async function carryOut(deed, more = {}) {
  pending.splice(pending.indexOf(deed), 1);
  clearTimeout(deed.timer);
  const refusals = await inTurn(deed.issues, more.keepalive, async (issue) => take(await call("POST", at(issue, deed.action), deed.body, more)));
  deed.issues.forEach((issue) => unhide(issue.id));
  if (!refusals.length) return;
  if (refusals.length === deed.issues.length) deed.back();
  say(explain(refusals[0]), { lasts: UNDO_MS });
  if (refusals.length < deed.issues.length || refusals.some((one) => one.status === 409)) load();
}

// One after the other, a few at a time, so that a hundred issues do not crowd out a colleague; all at once when the page goes.
async function inTurn(issues, isHurried, work) {
  const refusals = [];
  const left = [...issues];
  const next = async () => {
    for (let issue = left.shift(); issue; issue = left.shift()) await work(issue).catch((refusal) => refusals.push(refusal));
  };
  await Promise.all(Array.from({ length: isHurried ? issues.length : 4 }, next));
  return refusals;
}

export async function takeAll(issues) {
  const refusals = await inTurn(issues, false, async (issue) => {
    await call("POST", at(issue, "acknowledge"), {});
    take(await call("POST", at(issue, "assign"), { owner: session.value.label }));
  });
  say(refusals.length ? explain(refusals[0]) : texts.value.done.takenAll(issues.length));
}

// Sends what is held back, because the page goes or somebody signs out.
export const flush = () => Promise.all([...pending].map((deed) => carryOut(deed, { keepalive: true })));
addEventListener("pagehide", flush);
