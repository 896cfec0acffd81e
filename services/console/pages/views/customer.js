// One customer: found by whatever is known of them, told from the first touchpoint to the last, live.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { html } from "../html.js";
import { readings } from "../identifiers.js";
import { connection, follow } from "../live.js";
import { explain } from "../notices.js";
import { go, place, withQuery } from "../router.js";
import { pinned } from "../story_shape.js";
import { RANGES, busy, found, hear, load, problem, story, wanted } from "../story_reading.js";
import { moment } from "../times.js";
import { texts, word } from "../words.js";
import { MergeDialog, SeparateDialog } from "./identity_dialogs.js";
import { Difficulties, EffortNow, Issues, Known } from "./story_aside.js";
import { StoryLanes } from "./story_lanes.js";
import { StoryList } from "./story_list.js";

export function Customer() {
  const t = texts.value;
  const { reference, view, asOf } = wanted.value;
  const key = JSON.stringify([reference, wanted.value.range, wanted.value.from, wanted.value.to, asOf]);
  const [chosen, setChosen] = useState(null);
  const [dialog, setDialog] = useState(null);
  const shown = story.value;
  useEffect(() => { setChosen(null); load({ pages: 1 }); }, [key]);
  const id = shown?.asked === reference ? shown.customer.customer_id : null;
  // The address names the customer by an id that says nothing about them.
  useEffect(() => { if (id && reference !== id) go(`/customers/${id}${location.search}`, { replace: true }); }, [id, reference]);
  useEffect(() => (id && !asOf ? follow(`api/journey/v1/customers/${id}/stream`, hear) : undefined), [id, asOf]);
  useEffect(() => { document.title = `${t.story.title} · Waymark`; });
  const pins = useMemo(() => (shown ? pinned(shown.touchpoints, shown.frictions) : []), [shown]);
  const choose = (at) => {
    setChosen(at);
    if (view === "list") document.getElementById(`line-${at}`)?.scrollIntoView({ block: "nearest" });
  };
  const done = () => { setDialog(null); load(); };
  const Asked = dialog && { merge: MergeDialog, separate: SeparateDialog }[dialog];
  return html`<main id="main" tabindex="-1" class="page story-page" aria-busy=${busy.value}>
    <div class="story-head">
      <h1>${t.story.title}</h1>
      ${shown?.customer.service_level && html`<span class="chip">${word("level", shown.customer.service_level)}</span>`}
      ${shown?.customer.first_seen_at && html`<span class="faint">${t.story.seen(moment(shown.customer.first_seen_at), moment(shown.customer.last_seen_at))}</span>`}
      ${id && !asOf && html`<span class="light" data-state=${connection.value}>${t.connection[connection.value]}</span>`}
    </div>
    <${Search} />
    ${problem.value && html`<p class="problem" role="alert">${t.story[problem.value] ?? problem.value}</p>`}
    ${!reference && !problem.value && html`<p class="faint start">${t.story.start}</p>`}
    ${!shown && reference && busy.value && html`<p class="faint">${t.loading}</p>`}
    ${shown && reference && html`
      <${Controls} />
      ${shown.asOf && html`<p class="as-of" role="status">${t.story.asOfShown(moment(shown.asOf))}
        ${" "}<button type="button" onClick=${() => go(withQuery({ as_of: "" }))}>${t.story.toNow}</button></p>`}
      <div class="story-grid">
        <div class="story-main">
          ${shown.hasEarlier && html`<button type="button" class="quiet" onClick=${() => load({ pages: shown.pages + 1 })}>${t.story.earlier}</button>`}
          ${!shown.touchpoints.length ? html`<p class="faint">${t.story.nothing}</p>`
            : view === "list" ? html`<${StoryList} story=${shown} pins=${pins} chosen=${chosen} onChoose=${choose} />`
              : html`<${StoryLanes} story=${shown} pins=${pins} chosen=${chosen} onChoose=${choose} />`}
        </div>
        <aside class="story-side" aria-label=${t.issue.details}>
          <${EffortNow} story=${shown} />
          <${Difficulties} story=${shown} pins=${pins} onChoose=${choose} />
          <${Issues} story=${shown} />
          <${Known} story=${shown} onSay=${setDialog} />
        </aside>
      </div>`}
    ${Asked && shown && html`<${Asked} story=${shown} onClose=${() => setDialog(null)} onDone=${done} />`}
  </main>`;
}

function Search() {
  const t = texts.value.story;
  const [refused, setRefused] = useState("");
  const field = useRef(null);
  useEffect(() => { if (!wanted.value.reference) field.current.focus(); }, []);
  useEffect(() => {
    const press = (event) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.closest?.("input, select, textarea, dialog")) return;
      event.preventDefault();
      field.current.focus();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
  const search = async (event) => {
    event.preventDefault();
    const asked = readings(field.current.value);
    if (!asked.length) return;
    setRefused("");
    try {
      const id = await found(asked);
      field.current.value = "";
      go(`/customers/${id}`);
      document.getElementById("main").focus();
    } catch (refusal) {
      setRefused({ customer_unknown: t.unknown, identifier_of_many: t.ofMany, identifier_malformed: t.malformed, identifier_blocked: t.malformed }[refusal.code] ?? explain(refusal));
      field.current.select();
    }
  };
  return html`<form class="find" role="search" onSubmit=${search}>
    <label for="find">${t.find}</label>
    <input id="find" ref=${field} type="text" autocomplete="off" spellcheck=${false} maxlength="300" placeholder=${t.findHint} aria-describedby="find-problem" />
    <button type="submit" class="primary">${t.search}</button>
    <p id="find-problem" class="problem" role="alert">${refused}</p>
  </form>`;
}

// A field of date and time holds what the reader's clock says; the address holds the moment itself.
const local = (text) => {
  if (!text) return "";
  const then = new Date(text);
  return new Date(then - then.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
};
const instant = (text) => (text && !Number.isNaN(Date.parse(text)) ? new Date(text).toISOString() : "");

function Controls() {
  const t = texts.value.story;
  const { range, from, to, asOf, view } = wanted.value;
  const [own, setOwn] = useState(Boolean(from || to));
  const change = (changes) => go(withQuery(changes), { replace: true });
  const pick = (event) => {
    const chosen = event.target.value;
    setOwn(chosen === "own");
    change({ range: chosen in RANGES ? chosen : "", from: "", to: "" });
  };
  return html`<div class="controls story-controls">
    <div class="views" role="group" aria-label=${t.view}>
      ${["lanes", "list"].map((one) => html`<button key=${one} type="button" aria-pressed=${one === view} onClick=${() => change({ view: one === "lanes" ? "" : one })}>${t.views[one]}</button>`)}
    </div>
    <label>${t.range} <select value=${own ? "own" : range || "all"} onChange=${pick}>
      ${["all", ...Object.keys(RANGES), "own"].map((one) => html`<option key=${one} value=${one}>${t.ranges[one]}</option>`)}</select></label>
    ${own && html`<label>${t.shownFrom} <input type="datetime-local" value=${local(from)} onChange=${(event) => change({ from: instant(event.target.value) })} /></label>
      <label>${t.shownTo} <input type="datetime-local" value=${local(to)} onChange=${(event) => change({ to: instant(event.target.value) })} /></label>`}
    <label>${t.asOf} <input type="datetime-local" value=${local(asOf)} onChange=${(event) => change({ as_of: instant(event.target.value) })} /></label>
  </div>`;
}
