// The funnel of each kind of journey that is defined: how many enter, how far they come, where they are lost; and who.
import { useEffect, useState } from "preact/hooks";
import { html } from "../html.js";
import { useReading } from "../reading.js";
import { go, place, withQuery } from "../router.js";
import { span } from "../times.js";
import { count, language, texts, told } from "../words.js";
import { Behind } from "./behind.js";
import { ChannelChoice, JourneyTabs, LevelChoice, RangeChoice, ReasonChoice, since } from "./journey_tabs.js";

const NAMED = ["channel", "reason", "service_level"];
const percent = (share) => share.toLocaleString(language.value, { style: "percent", maximumFractionDigits: 0 });

export function Funnels() {
  const t = texts.value.funnels;
  const { query } = place.value;
  const asked = new URLSearchParams();
  for (const name of NAMED) if (query.get(name)) asked.set(name, query.get(name));
  const from = since(query.get("range") ?? "");
  if (from) asked.set("from", from);
  const all = useReading(`api/journey/v1/funnels?${asked}`, { every: 60_000 });
  const chosen = query.get("journey") ?? all.found?.funnels[0]?.journey ?? "";
  const { found, problem } = useReading(chosen ? `api/journey/v1/funnels/${encodeURIComponent(chosen)}?${asked}` : null, { every: 60_000 });
  const [behind, setBehind] = useState(null);
  useEffect(() => { document.title = `${t.title} · Waymark`; });
  const who = (title, narrowed) => setBehind({ title, path: `api/journey/v1/funnels/${encodeURIComponent(chosen)}/customers?${new URLSearchParams([...asked, ...Object.entries(narrowed)])}` });
  return html`<main id="main" tabindex="-1" class="page overview">
    <h1>${t.title}</h1><${JourneyTabs} />
    <div class="controls overview-controls">
      ${all.found?.funnels.length > 0 && html`<select aria-label=${t.journey} onChange=${(event) => go(withQuery({ journey: event.target.value }), { replace: true })}>
        ${all.found.funnels.map((one) => html`<option key=${one.journey} value=${one.journey} selected=${one.journey === chosen}>${told(one.title) || one.journey}</option>`)}</select>`}
      <${RangeChoice} /><${ChannelChoice} /><${ReasonChoice} /><${LevelChoice} />
    </div>
    ${(problem || all.problem) && html`<p class="problem" role="alert">${problem || all.problem}</p>`}
    ${all.found && !all.found.funnels.length && html`<p class="faint">${t.none}</p>`}
    ${found && html`<${Funnel} one=${found} who=${who} />`}
    ${behind && html`<${Behind} ...${behind} onClose=${() => setBehind(null)} />`}
  </main>`;
}

function Funnel({ one, who }) {
  const t = texts.value.funnels;
  const took = one.time_to_reach;
  const name = told(one.title) || one.journey;
  return html`<section class="sheet funnel"><h2>${name}</h2>
    <p>${t.sentence(count(one.entered), percent(one.reached_rate), took ? span(took.p50_s * 1000) : "")}</p>
    <p class="segments">${["reached", "open", "abandoned", "timed_out"].map((end) => html`<${Opening} key=${end} n=${one[end]} text=${t.end[end]} onClick=${() => who(`${name}: ${t.end[end]}`, { end })} />`)}</p>
    <div class="table-box" tabindex="0" role="region" aria-label=${t.stages}><table class="stages">
      <thead><tr>${["stage", "journeys", "time", "open", "lost", "overdue"].map((column) => html`<th key=${column} scope="col" class=${column === "stage" ? "" : "number"}>${t.column[column]}</th>`)}</tr></thead>
      <tbody>${one.stages.map((stage) => {
        const title = told(stage.title) || stage.stage.replaceAll("_", " ");
        return html`<tr key=${stage.stage}><th scope="row">${title}<span class="measure" aria-hidden="true"><span style=${{ width: `${100 * stage.share}%` }}></span></span></th>
          <td class="number"><b>${count(stage.journeys)}</b> <span class="second faint">${percent(stage.share)}</span></td>
          <td class="number">${stage.time ? span(stage.time.p50_s * 1000) : "–"}</td>
          <td class="number"><${Opening} n=${stage.open} label=${`${title}: ${t.end.open}`} onClick=${() => who(`${title}: ${t.end.open}`, { stage: stage.stage, end: "open" })} /></td>
          <td class="number"><${Opening} n=${stage.abandoned} label=${`${title}: ${t.end.abandoned}`} text=${t.end.abandoned} onClick=${() => who(`${title}: ${t.end.abandoned}`, { stage: stage.stage, end: "abandoned" })} />
            ${stage.timed_out > 0 && html`<${Opening} n=${stage.timed_out} label=${`${title}: ${t.end.timed_out}`} text=${t.end.timed_out} onClick=${() => who(`${title}: ${t.end.timed_out}`, { stage: stage.stage, end: "timed_out" })} />`}
            <span class="second faint">${percent(stage.drop_off_rate)}</span></td>
          <td class="number">${count(stage.overdue)}</td></tr>`;
      })}</tbody></table></div></section>`;
}

const Opening = ({ n, text = "", label = "", onClick }) => (n ? html`<button type="button" class="plain-button" aria-label=${label ? `${label} ${count(n)}` : undefined} onClick=${onClick}>${count(n)}${text ? ` ${text}` : ""}</button>` : html`<span class="faint">0${text ? ` ${text}` : ""}</span>`);
