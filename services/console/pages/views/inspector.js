// For producers: what a source sent lately, live; whether it was taken, what is wrong and how to mend it; what became of it.
import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "../html.js";
import { kept, withLater } from "../inspected.js";
import { follow } from "../live.js";
import { explain } from "../notices.js";
import { useReading } from "../reading.js";
import { go, href, place, withQuery } from "../router.js";
import { call } from "../session.js";
import { moment } from "../times.js";
import { language, texts, told, word } from "../words.js";

const OUTCOMES = ["accepted", "duplicate", "rejected", "refused", "unavailable"];
const STAGES = ["sent", "taken", "stored", "journey", "frictions"];

export function Inspector() {
  const t = texts.value.inspector;
  const { query } = place.value;
  const asked = new URLSearchParams();
  for (const name of ["source", "outcome", "id"]) if (query.get(name)) asked.set(name, query.get(name));
  const { entries, problem, listing, waiting, show, isPaused, setPaused } = useEntries(asked.toString());
  useEffect(() => { document.title = `${t.title} · Waymark`; });
  const change = (changes) => go(withQuery(changes), { replace: true });
  const chosen = query.get("entry");
  return html`<main id="main" tabindex="-1" class="page overview">
    <h1>${t.title}</h1><p class="faint">${t.about}</p>
    <form class="controls overview-controls" onSubmit=${(event) => event.preventDefault()}>
      <select aria-label=${t.outcomes} onChange=${(event) => change({ outcome: event.target.value, entry: "" })}>
        <option value="" selected=${!query.get("outcome")}>${t.anyOutcome}</option><option value="rejected,refused" selected=${query.get("outcome") === "rejected,refused"}>${t.wrong}</option>
        ${OUTCOMES.map((one) => html`<option key=${one} value=${one} selected=${one === query.get("outcome")}>${t.outcome[one]}</option>`)}</select>
      <input type="text" aria-label=${t.source} placeholder=${t.source} maxlength="200" value=${query.get("source") ?? ""} onChange=${(event) => change({ source: event.target.value.trim(), entry: "" })} />
      <input type="text" aria-label=${t.id} placeholder=${t.id} maxlength="255" value=${query.get("id") ?? ""} onChange=${(event) => change({ id: event.target.value.trim(), entry: "" })} />
      <button type="button" aria-pressed=${isPaused} onClick=${() => setPaused(!isPaused)}>${isPaused ? t.goOn : t.pause}</button>
      ${waiting > 0 && html`<button type="button" class="primary" onClick=${show}>${t.fresh(waiting)}</button>`}
    </form>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    ${listing && html`<p class="faint">${t.covers(listing.rejected_from === "all replicas", listing.later_from)}</p>`}
    ${listing && !entries.length && html`<p class="faint">${t.none}</p>`}
    ${entries.length > 0 && html`<ol class="entries" aria-label=${t.title}>${entries.map((one) => html`<${Entry} key=${one.cursor} one=${one} isOpen=${one.cursor === chosen} onOpen=${() => change({ entry: one.cursor === chosen ? "" : one.cursor })} />`)}</ol>`}
  </main>`;
}

// The newest entries and what comes; while somebody holds the list or has one open, new ones wait.
function useEntries(asked) {
  const [state, setState] = useState({ entries: [], held: [], listing: null, problem: "" });
  const [isPaused, setPaused] = useState(false);
  const holds = useRef(false);
  holds.current = isPaused || Boolean(place.value.query.get("entry"));
  useEffect(() => {
    let isOver = false;
    const read = () => call("GET", `api/ingest/v1/inspector?${new URLSearchParams([...new URLSearchParams(asked), ["limit", "100"]])}`)
      .then((listing) => { if (!isOver) setState({ entries: listing.entries, held: [], listing, problem: "" }); }, (refusal) => { if (!isOver) setState((before) => ({ ...before, problem: explain(refusal) })); });
    read();
    const end = follow(`api/ingest/v1/inspector/stream${asked ? `?${asked}` : ""}`, ({ event, data }) => {
      if (event === "resync") { read(); return; }
      const said = data && data !== "{}" ? JSON.parse(data) : null;
      if (event === "later") setState((before) => ({ ...before, entries: withLater(before.entries, said), held: withLater(before.held, said) }));
      else if (OUTCOMES.includes(event)) setState((before) => (holds.current ? { ...before, held: kept(said, before.held, before.entries) } : { ...before, entries: kept(said, before.entries) }));
    });
    return () => { isOver = true; end(); };
  }, [asked]);
  const show = () => setState((before) => ({ ...before, entries: [...before.held, ...before.entries].slice(0, 300), held: [] }));
  useEffect(() => { if (!holds.current && state.held.length) show(); }, [isPaused, place.value.query.get("entry")]);
  return { ...state, waiting: state.held.length, show, isPaused, setPaused };
}

function Entry({ one, isOpen, onOpen }) {
  const t = texts.value.inspector;
  const fate = one.later?.outcome;
  return html`<li class="sheet entry" data-outcome=${one.outcome}>
    <button type="button" class="entry-head" aria-expanded=${isOpen} onClick=${onOpen}>
      <time datetime=${one.received_at}>${new Date(one.received_at).toLocaleTimeString(language.value, { hour12: false })}</time>
      <span class="chip outcome">${t.outcome[one.outcome]}</span>${fate && html`<span class="chip" data-fate=${fate}>${t.fate[fate]}</span>`}
      <b>${one.source || t.stranger}</b> <code>${one.id ?? one.request?.route ?? ""}</code>
      ${one.message && !isOpen && html`<span class="faint cut">${one.message}</span>`}</button>
    ${isOpen && html`<div class="entry-body">${one.message && html`<p>${one.message}</p>`}${one.hint && html`<p class="faint">${one.hint}</p>`}
      ${one.outcome === "accepted" && html`<${Chain} one=${one} />`}
      <${Notes} title=${t.mend} notes=${one.errors} /><${Notes} title=${t.leftOut} notes=${one.warnings} />
      <${Shape} title=${t.sent} of=${one.sent} /><${Shape} title=${t.became} of=${one.became} /></div>`}</li>`;
}

const Notes = ({ title, notes = [] }) => notes.length > 0 && html`<div><h2>${title}</h2><ul class="mend">${notes.map((note, at) => html`<li key=${at}><code>${note.path}</code> ${note.message}
  ${note.hint && html`<span class="faint">${note.hint}</span>`} ${note.sent && html`<code>${note.sent}</code>`}</li>`)}</ul></div>`;
const Shape = ({ title, of }) => of !== undefined && html`<details><summary>${title}</summary><pre lang="en" tabindex="0" aria-label=${title}>${typeof of === "string" ? of : JSON.stringify(of, null, 2)}</pre></details>`;

// From the producer to the difficulties: how far it came. What it led to is asked when somebody looks.
function Chain({ one }) {
  const t = texts.value.inspector;
  const isStored = ["applied", "late", "duplicate"].includes(one.later?.outcome);
  const { found } = useReading(isStored ? `api/journey/v1/touchpoints/${encodeURIComponent(one.source)}/${encodeURIComponent(one.id)}` : null, { every: 5000 });
  const standing = found?.frictions.filter((friction) => friction.state === "detected") ?? [];
  const states = {
    sent: ["done", moment(one.received_at)], taken: ["done", t.taken],
    stored: [isStored ? "done" : one.later?.outcome === "waiting" ? "coming" : "lost", one.later?.message ?? t.notAsked],
    journey: [found?.journey_id ? "done" : isStored && found ? "none" : "coming", found?.journey_id ? html`<a href=${href(`/customers/${found.customer_id}`)} data-inside>${t.story}</a>` : found ? t.noJourney : "–"],
    frictions: [standing.length ? "done" : found ? "none" : "coming", found ? (standing.length ? html`${standing.map((friction) => html`<span key=${friction.id} class="segments"><span class="severity" data-severity=${friction.severity}>${word("severity", friction.severity)}</span> ${told(friction.title)}</span>`)}
      <a href=${`${href("/")}?customer=${found.customer_id}`} data-inside>${t.issues}</a>` : t.noFrictions) : "–"],
  };
  return html`<ol class="fate" aria-label=${t.chain}>${STAGES.map((stage) => html`<li key=${stage} data-state=${states[stage][0]}><b>${t.stage[stage]}</b><div>${states[stage][1]}</div></li>`)}</ol>`;
}
