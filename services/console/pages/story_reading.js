// One customer's story, as it is loaded: who they are, what happened, what was hard, which issues it made. Read whole
// each time, so that everything on the page is of one moment; a walk that was overtaken by another is dropped.
import { computed, signal } from "@preact/signals";
import { announced, explain } from "./notices.js";
import { place } from "./router.js";
import { call } from "./session.js";
import { texts } from "./words.js";

const PAGE = 200;
const MOST_ISSUES = 50;
const EXPLAINED = 6;
const DAY = 86_400_000;
export const RANGES = { day: DAY, week: 7 * DAY, month: 30 * DAY };

export const story = signal(null);
export const problem = signal("");
export const busy = signal(false);
let walk = 0;

export const wanted = computed(() => {
  const { path, query } = place.value;
  const moment = (name) => (Number.isNaN(Date.parse(query.get(name) ?? "")) ? "" : query.get(name));
  return {
    reference: path.startsWith("/customers/") ? decodeURIComponent(path.slice(11)) : "",
    range: query.get("range") in RANGES ? query.get("range") : "",
    from: moment("from"), to: moment("to"), asOf: moment("as_of"),
    view: query.get("view") === "list" ? "list" : "lanes",
  };
});

// The span of event time that the address asks for, as parameters of a request.
function span({ range, from, to, asOf }) {
  const query = new URLSearchParams();
  if (range) query.set("from", new Date((asOf ? Date.parse(asOf) : Date.now()) - RANGES[range]).toISOString());
  else {
    if (from) query.set("from", new Date(from).toISOString());
    if (to) query.set("to", new Date(to).toISOString());
  }
  if (asOf) query.set("as_of", new Date(asOf).toISOString());
  return query;
}

const at = (reference, part = "") => `api/journey/v1/customers/${encodeURIComponent(reference)}${part}`;

// Finds the first reading of a typed text that names somebody; raises the refusal of the last one.
export async function found(references) {
  let refusal = null;
  for (const reference of references) {
    try {
      return (await call("GET", at(reference))).customer_id;
    } catch (error) {
      refusal = error;
      if (error.status !== 404 && error.status !== 400) throw error;
    }
  }
  throw refusal;
}

export async function load({ pages = story.value?.pages ?? 1 } = {}) {
  const mine = ++walk;
  const asked = wanted.value;
  if (!asked.reference) { story.value = null; problem.value = ""; busy.value = false; return; }
  busy.value = true;
  try {
    const read = await whole(asked, pages);
    if (mine !== walk) return;
    story.value = read;
    problem.value = "";
  } catch (refusal) {
    if (mine !== walk) return;
    problem.value = refusal.code === "customer_unknown" ? "unknown" : refusal.code === "identifier_of_many" ? "ofMany"
      : refusal.status === 400 || refusal.status === 422 ? "malformed" : explain(refusal);
    if (refusal.status === 404 || refusal.status === 400) story.value = null;
  } finally {
    if (mine === walk) busy.value = false;
  }
}

async function whole(asked, pages) {
  const query = span(asked);
  const moment = asked.asOf ? new URLSearchParams({ as_of: query.get("as_of") }) : "";
  const customer = await call("GET", `${at(asked.reference)}?${moment}`);
  const id = customer.customer_id;
  const [timeline, contacts, journeys, why, issues] = await Promise.all([
    touchpointsOf(id, query, pages),
    call("GET", `${at(id, "/contacts")}?${query}&limit=${PAGE}`),
    asked.asOf ? null : call("GET", `api/journey/v1/journeys?customer=${id}&limit=${PAGE}`),
    call("GET", at(id, "/why")).catch(() => null),
    issuesOf(id),
  ]);
  const hardest = asked.asOf ? null : [...customer.journeys].sort((a, b) => b.effort - a.effort)[0];
  const detail = hardest?.effort ? await call("GET", `api/journey/v1/journeys/${hardest.id}`).catch(() => null) : null;
  const known = new Map([...timeline.journeys, ...customer.journeys, ...(journeys?.journeys ?? [])].map((one) => [one.id, one]));
  const frictions = new Map([...customer.frictions, ...timeline.frictions].map((one) => [one.id, one]));
  return {
    asked: asked.reference, asOf: asked.asOf, customer, why, issues, pages, hardest: detail,
    touchpoints: timeline.touchpoints, hasEarlier: timeline.hasEarlier, contacts: contacts.contacts,
    journeys: [...known.values()], frictions: [...frictions.values()],
  };
}

// The latest touchpoints, oldest first, with what they belong to.
async function touchpointsOf(id, query, pages) {
  const read = { touchpoints: [], journeys: [], frictions: [], hasEarlier: false };
  let cursor = null;
  for (let page = 0; page < pages; page += 1) {
    const more = cursor ? `&cursor=${encodeURIComponent(cursor)}` : "";
    const answer = await call("GET", `${at(id, "/timeline")}?${query}&order=newest_first&limit=${PAGE}${more}`);
    read.touchpoints.push(...answer.touchpoints);
    read.journeys.push(...answer.journeys);
    read.frictions.push(...answer.frictions);
    cursor = answer.next_cursor ?? null;
    if (!cursor) break;
  }
  read.touchpoints.reverse();
  read.hasEarlier = Boolean(cursor);
  return read;
}

// The issues about somebody, open ones first, the latest of them with who was told. Alerts may be away: null.
async function issuesOf(id) {
  try {
    const { issues } = await call("GET", `api/alerts/v1/issues?customer=${id}&limit=${MOST_ISSUES}`);
    const order = issues.sort((a, b) => (a.state === "resolved") - (b.state === "resolved") || Date.parse(b.last_at) - Date.parse(a.last_at));
    const told = await Promise.all(order.slice(0, EXPLAINED).map((one) => call("GET", `api/alerts/v1/issues/${one.id}/explain`).catch(() => null)));
    return order.map((issue, place) => ({ issue, told: told[place] ?? null }));
  } catch (refusal) {
    return null;
  }
}

// Reads again when something changed: soon, but once for many changes. A new friction makes an issue a moment later, so
// reading goes on until the issue is there, or has not come in a while.
let settling = 0;
export function hear(event) {
  if (!["friction", "journey", "resync", "ready"].includes(event.event)) return;
  const friction = event.event === "friction" ? JSON.parse(event.data) : null;
  clearTimeout(settling);
  settling = setTimeout(() => catchUp(friction?.state === "detected" ? friction.id : null), 300);
}

const size = (read) => `${read.touchpoints.length} ${read.frictions.filter((one) => one.state === "detected").length}`;

async function catchUp(friction, tries = 5) {
  const before = story.value;
  if (!before) return;
  const whose = before.customer.customer_id;
  await load();
  if (story.value?.customer.customer_id === whose && size(before) !== size(story.value)) announced.value = texts.value.story.changed;
  if (!friction || story.value?.customer.customer_id !== whose || !tries) return;
  if ((story.value.issues ?? []).some(({ issue }) => issue.frictions.includes(friction))) return;
  settling = setTimeout(() => catchUp(friction, tries - 1), 1000);
}
