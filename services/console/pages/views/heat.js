// The heat map: channel by reason by hour of the day; each cell leads to the customers behind it. Arrow keys walk in it.
import { useEffect, useState } from "preact/hooks";
import { html } from "../html.js";
import { heatRows } from "../heat_shape.js";
import { useReading } from "../reading.js";
import { place } from "../router.js";
import { count, language, texts, word } from "../words.js";
import { Behind } from "./behind.js";
import { JourneyTabs, LevelChoice, RangeChoice, since } from "./journey_tabs.js";

const HOURS = Array.from({ length: 24 }, (_, hour) => hour);

export function HeatMap() {
  const t = texts.value.heat;
  const { query } = place.value;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const from = since(query.get("range") || "week") || since("month");
  const to = new Date(Math.ceil(Date.now() / 3_600_000) * 3_600_000).toISOString();
  const asked = new URLSearchParams({ from, to, zone });
  if (query.get("service_level")) asked.set("service_level", query.get("service_level"));
  const { found, problem } = useReading(`api/journey/v1/heat?${asked}`, { every: 60_000 });
  const [behind, setBehind] = useState(null);
  useEffect(() => { document.title = `${t.title} · Waymark`; });
  const who = (row, hour) => {
    const narrowed = new URLSearchParams({ from, to, zone, to_channel: row.channel, reason: row.reason, hour, friction: true });
    if (query.get("service_level")) narrowed.set("service_level", query.get("service_level"));
    setBehind({ title: t.cell(word("channel", row.channel), named(row.reason), hour), path: `api/journey/v1/paths/customers?${narrowed}` });
  };
  const shape = found && heatRows(found.cells);
  return html`<main id="main" tabindex="-1" class="page overview">
    <h1>${t.title}</h1><${JourneyTabs} />
    <div class="controls overview-controls"><${RangeChoice} without=${["all"]} usual="week" /><${LevelChoice} /></div>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    ${shape && !shape.rows.length && html`<p class="faint">${t.none}</p>`}
    ${shape?.rows.length > 0 && html`<p class="faint">${t.about}${shape.left ? ` ${t.left(shape.left)}` : ""}</p><${Grid} shape=${shape} who=${who} />`}
    ${behind && html`<${Behind} ...${behind} onClose=${() => setBehind(null)} />`}
  </main>`;
}

const named = (reason) => (reason ? word("reason", reason) : texts.value.heat.noReason);

function Grid({ shape, who }) {
  const t = texts.value.heat;
  const [at, setAt] = useState(null);
  const open = shape.rows.flatMap((row, line) => HOURS.filter((hour) => row.hours[hour]?.frictions).map((hour) => `${line} ${hour}`));
  const current = open.includes(at) ? at : open[0];
  const walk = (event) => {
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    let [line, hour] = current.split(" ").map(Number);
    do { line += step[0]; hour += step[1]; } while (line >= 0 && line < shape.rows.length && hour >= 0 && hour < 24 && !open.includes(`${line} ${hour}`));
    if (!open.includes(`${line} ${hour}`)) return;
    setAt(`${line} ${hour}`);
    event.currentTarget.querySelector(`[data-at="${line} ${hour}"]`).focus();
  };
  return html`<div class="sheet table-box" tabindex="0" role="region" aria-label=${t.title}><table class="heat" onKeyDown=${walk}>
    <thead><tr><th scope="col">${t.where}</th>${HOURS.map((hour) => html`<th key=${hour} scope="col">${hour.toLocaleString(language.value)}</th>`)}<th scope="col" class="number">${t.sum}</th></tr></thead>
    <tbody>${shape.rows.map((row, line) => html`<tr key=${`${row.channel} ${row.reason}`}><th scope="row">${word("channel", row.channel)}<span class="second faint">${named(row.reason)}</span></th>
      ${HOURS.map((hour) => {
        const cell = row.hours[hour];
        if (!cell?.frictions) return html`<td key=${hour}>${cell ? html`<span class="faint" title=${t.well(count(cell.touchpoints))}>·</span>` : ""}</td>`;
        const name = `${line} ${hour}`;
        return html`<td key=${hour}><button type="button" data-at=${name} data-level=${Math.ceil((4 * cell.frictions) / shape.most)} tabindex=${name === current ? 0 : -1} onFocus=${() => setAt(name)} onClick=${() => who(row, hour)}
          aria-label=${t.told(word("channel", row.channel), named(row.reason), hour, count(cell.frictions), count(cell.touchpoints))}>${count(cell.frictions)}</button></td>`;
      })}<td class="number"><b>${count(row.frictions)}</b></td></tr>`)}</tbody></table></div>`;
}
