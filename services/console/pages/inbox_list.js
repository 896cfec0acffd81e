// The list of the inbox: what is loaded, what waits behind "show new", and what has gone. Its order stands still while
// people read: rows change in place, and new ones come when somebody asks for them.
import { computed, signal } from "@preact/signals";
import { announced } from "./notices.js";
import { place } from "./router.js";
import { Refusal, call, session } from "./session.js";
import { texts } from "./words.js";

export const VIEWS = ["all", "untaken", "mine", "snoozed", "outbreaks", "resolved"];
export const LEVELS = ["premium", "enhanced", "basic"];
const NAMED = ["channel", "team", "rule", "reason", "service_level", "customer", "q", "outbreak"];
export const SEVERITIES = ["critical", "high", "medium", "low"];
const PAGE = 100;
const CHECKED_AT_ONCE = 10;
const SETTLE_MS = 300;

export const rows = signal([]);
export const total = signal(0);
export const waiting = signal(new Set()); // ids that would be shown, in the order in which they came
export const loading = signal(true);
export const problem = signal("");
let cursor = null;
let walk = 0;

export const wanted = computed(() => {
  const { query } = place.value;
  const view = VIEWS.includes(query.get("view")) ? query.get("view") : "all";
  const severities = query.getAll("severity").filter((one) => SEVERITIES.includes(one));
  return { view, severities, ...Object.fromEntries(NAMED.map((name) => [name, query.get(name) ?? ""])) };
});
export const isFiltered = computed(() => Boolean(wanted.value.severities.length || NAMED.some((name) => wanted.value[name])));
export const NO_FILTERS = Object.fromEntries(["severity", ...NAMED].map((name) => [name, ""]));

// The stream of what the list shows. Rows of another channel, rule or state come too, and are left out here.
export const stream = computed(() => {
  const { view, severities, team } = wanted.value;
  const query = new URLSearchParams();
  for (const one of severities) query.append("severity", one);
  if (team) query.set("team", team);
  if (view === "mine" && session.value?.label) query.set("owner", session.value.label);
  const text = query.toString();
  return `api/alerts/v1/stream${text ? `?${text}` : ""}`;
});

function asked() {
  const { view, severities } = wanted.value;
  const query = new URLSearchParams(wanted.value.outbreak ? {} : { quiet: "false", held: "false" });
  query.set("state", { untaken: "open", resolved: "resolved" }[view] ?? "unresolved");
  if (view === "mine") query.set("owner", session.value.label);
  if (view === "snoozed" || view === "outbreaks") query.set(view, "true");
  for (const one of severities) query.append("severity", one);
  for (const name of NAMED) if (wanted.value[name]) query.set(name, wanted.value[name]);
  return query;
}

// Whether the filters let an issue in, as the service would decide.
function fits(issue) {
  const { view, severities, channel, team, rule, reason, service_level: level, customer, q, outbreak } = wanted.value;
  const states = { untaken: ["open"], resolved: ["resolved"] }[view] ?? ["open", "acknowledged"];
  return states.includes(issue.state) && (outbreak ? issue.held_by === outbreak : !issue.held_by && !issue.quiet) &&
    (view !== "snoozed" || Boolean(issue.snoozed_until)) && (view !== "outbreaks" || !issue.customer_id) &&
    (!reason || issue.reason === reason) && (!level || issue.service_level === level) && (!customer || issue.customer_id === customer) &&
    (!q || says(issue, q)) &&
    (view !== "mine" || issue.owner === session.value?.label) && (!severities.length || severities.includes(issue.severity)) &&
    (!channel || issue.channel === channel) && (!rule || issue.rules.includes(rule)) &&
    (!team || issue.team === team || (issue.teams ?? []).some((one) => one.name === team));
}

// As the service searches.
function says(issue, q) {
  const text = [issue.title.en, issue.title.ko, issue.why?.en, issue.why?.ko, issue.reason, JSON.stringify(issue.refs), issue.rules.join(" ")].filter(Boolean).join("\n");
  return text.toLowerCase().includes(q.toLowerCase());
}

// What became of the notifications of an issue, by its id; of what came live it is not known.
export const delivered = signal(new Map());
const ask = (query) => call("GET", `api/alerts/v1/issues?${query}&told=true`);
const keep = (page, before) => { delivered.value = new Map([...before, ...Object.entries(page.told ?? {})]); };

export async function load() {
  const mine = ++walk;
  loading.value = true;
  problem.value = "";
  const query = asked();
  try {
    const counted = call("GET", `api/alerts/v1/issues/summary?${query}`);
    query.set("sort", wanted.value.view === "resolved" ? "latest" : "priority");
    query.set("limit", PAGE);
    const page = await ask(query);
    const summary = await counted;
    if (mine !== walk) return;
    keep(page, []);
    rows.value = page.issues.filter((one) => !hidden.has(one.id));
    total.value = summary.total;
    cursor = page.next_cursor ?? null;
    waiting.value = new Set();
  } catch (refusal) {
    if (mine === walk && refusal instanceof Refusal) problem.value = refusal.code || String(refusal.status);
  } finally {
    if (mine === walk) loading.value = false;
  }
}

export async function loadMore() {
  if (!cursor || loading.value) return;
  const mine = walk;
  loading.value = true;
  try {
    const query = asked();
    query.set("sort", wanted.value.view === "resolved" ? "latest" : "priority");
    query.set("limit", PAGE * 2);
    query.set("cursor", cursor);
    const page = await ask(query);
    if (mine !== walk) return;
    keep(page, delivered.value);
    const known = new Set(rows.value.map((one) => one.id));
    rows.value = [...rows.value, ...page.issues.filter((one) => !known.has(one.id) && !hidden.has(one.id))];
    cursor = page.next_cursor ?? null;
  } catch (refusal) {
    if (mine !== walk) return;
    if (refusal.status === 410) { loading.value = false; await load(); } else cursor = null;
  } finally {
    if (mine === walk) loading.value = false;
  }
}

// Puts a newer version in its place.
export function take(issue) {
  const at = rows.value.findIndex((one) => one.id === issue.id);
  if (at < 0 || rows.value[at].version > issue.version) return at >= 0;
  const next = rows.value.slice();
  const whole = { quiet: rows.value[at].quiet, ...issue }; // which the stream does not say
  next[at] = { ...whole, gone: !fits(whole) };
  rows.value = next;
  return true;
}

// Takes a row out and returns how to put it back.
export function remove(id) {
  const at = rows.value.findIndex((one) => one.id === id);
  if (at < 0) return () => {};
  const row = rows.value[at];
  rows.value = rows.value.filter((one) => one.id !== id);
  total.value = Math.max(0, total.value - 1);
  return () => {
    if (rows.value.some((one) => one.id === id)) return;
    const next = rows.value.slice();
    next.splice(Math.min(at, next.length), 0, row);
    rows.value = next;
    total.value += 1;
  };
}

// -- what the stream says

const unchecked = new Map();
const hidden = new Set(); // what somebody has just done away with here, and may take back
let settling = 0;

export const hide = (id) => hidden.add(id);
export const unhide = (id) => hidden.delete(id);

export function hear(event) {
  // What came between the reading of the list and the beginning of the stream is in neither: the list is read again.
  if (event.event === "ready" || event.event === "resync") { load(); return; }
  if (!event.event.startsWith("issue.")) return;
  const issue = JSON.parse(event.data);
  if (event.event === "issue.left") { take(issue); forget(issue.id); return; }
  if (hidden.has(issue.id) || take(issue)) return;
  if (fits(issue)) {
    unchecked.set(issue.id, issue);
    settling ||= setTimeout(check, SETTLE_MS);
  } else forget(issue.id);
}

function forget(id) {
  unchecked.delete(id);
  if (!waiting.value.has(id)) return;
  const next = new Set(waiting.value);
  next.delete(id);
  waiting.value = next;
}

// The stream does not say whether an issue is quiet; the service does. Few are asked at once, many are believed.
async function check() {
  settling = 0;
  const found = [...unchecked.values()];
  unchecked.clear();
  const mine = walk;
  const asking = found.length <= CHECKED_AT_ONCE ? found.map((one) => call("GET", `api/alerts/v1/issues/${one.id}`).catch(() => null)) : found;
  const checked = await Promise.all(asking);
  if (mine !== walk) return;
  const known = new Set(rows.value.map((one) => one.id));
  const fresh = checked.filter((one) => one && fits(one) && !known.has(one.id) && !hidden.has(one.id)).map((one) => one.id);
  if (!fresh.length) return;
  waiting.value = new Set([...waiting.value, ...fresh]);
  announced.value = texts.value.inbox.freshSaid(waiting.value.size);
}
