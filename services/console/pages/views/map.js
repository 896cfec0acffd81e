// The map of all journeys: from touchpoint to touchpoint, how often, how hard, where they end; and the same as a table.
import { useEffect, useMemo, useState } from "preact/hooks";
import { kinds } from "../catalogue.js";
import { html } from "../html.js";
import { chosen, drawn, idOf, nameOf } from "../map_shape.js";
import { useReading } from "../reading.js";
import { go, place, withQuery } from "../router.js";
import { span } from "../times.js";
import { count, language, texts, word } from "../words.js";
import { Behind } from "./behind.js";
import { JourneyTabs, LevelChoice, RangeChoice, ReasonChoice, since } from "./journey_tabs.js";

const WIDE = 168;
const HIGH = 46;

export function JourneyMap() {
  const t = texts.value.map;
  const { query } = place.value;
  const range = query.get("range") ?? "";
  const [activities, connections] = ["activities", "connections"].map((name) => Math.max(1, Math.min(100, Number(query.get(name)) || (name === "activities" ? 60 : 50))));
  const asked = new URLSearchParams({ limit: "500" });
  for (const name of ["reason", "service_level"]) if (query.get(name)) asked.set(name, query.get(name));
  const from = since(range);
  if (from) asked.set("from", from);
  const { found, problem } = useReading(`api/journey/v1/paths?${asked}`, { every: 60_000 });
  useEffect(() => { document.title = `${t.title} · Waymark`; });
  const part = useMemo(() => found && chosen(found, activities, connections), [found, activities, connections]);
  const [behind, setBehind] = useState(null);
  const who = (from, to) => setBehind({ title: from ? `${full(from)} → ${full(to)}` : full(to), path: `api/journey/v1/paths/customers?${narrowedTo(asked, from, to)}` });
  const picture = useMemo(() => part && part.edges.length && drawn(part), [part]);
  const change = (changes) => go(withQuery(changes), { replace: true });
  const slider = (name, value) => html`<label>${t[name]} <input type="range" min="1" max="100" value=${value} onInput=${(event) => change({ [name]: event.target.value })} /> ${value}%</label>`;
  return html`<main id="main" tabindex="0" class="page overview map-page">
    <h1>${t.title}</h1><${JourneyTabs} />
    <div class="controls overview-controls map-controls">
      ${slider("activities", activities)}${slider("connections", connections)}
      <${RangeChoice} /><${ReasonChoice} /><${LevelChoice} />
    </div>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    ${found && !found.edges.length && html`<p class="faint">${t.empty}</p>`}
    ${picture && html`<p class="faint">${t.legend}${part.left > 0 ? ` ${t.other(part.left)}.` : ""}</p>
      <div class="sheet graph-box" tabindex="0" role="region" aria-label=${t.graph}><${Picture} picture=${picture} graph=${found} who=${who} /></div>
      <details class="sheet"><summary>${t.table}</summary><${Table} edges=${found.edges} who=${who} /></details>`}
    ${behind && html`<${Behind} ...${behind} onClose=${() => setBehind(null)} />`}
  </main>`;
}

const label = (node) => texts.value.map[node.kind] && !node.channel ? texts.value.map[node.kind] : kinds[node.kind]?.[language.value] ?? node.kind.replaceAll("_", " ");
const full = (node) => (node.channel ? `${label(node)} (${word("channel", node.channel)})` : label(node));

// The question who went from one end to the other, in the same time and of the same people as the map.
function narrowedTo(asked, from, to) {
  const narrowed = new URLSearchParams(asked);
  narrowed.delete("limit");
  for (const [name, node] of [["from", from], ["to", to]]) {
    if (!node) continue;
    if (node.channel) narrowed.set(`${name}_channel`, node.channel);
    narrowed.set(`${name}_kind`, node.kind);
  }
  return narrowed;
}

const percent = (share) => share.toLocaleString(language.value, { style: "percent", maximumFractionDigits: 1 });

function Picture({ picture, graph, who }) {
  const t = texts.value.map;
  const most = Math.max(...picture.edges.map(({ edge }) => edge.count));
  const dropped = new Map(graph.edges.filter((edge) => edge.to.kind === "dropped").map((edge) => [nameOf(edge.from), edge.share]));
  return html`<svg width=${picture.width} height=${picture.height} role="img" aria-label=${t.graph}>
    <defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8Z" class="tip" /></marker></defs>
    ${picture.edges.map(({ edge, points }) => {
      const middle = points[Math.floor(points.length / 2)];
      return html`<g key=${idOf(edge)} class="step" data-hard=${hardness(edge.friction_rate)} onClick=${() => who(edge.from, edge.to)}>
        <title>${`${label(edge.from)} → ${label(edge.to)}: ${count(edge.count)}, ${t.column.friction} ${percent(edge.friction_rate)}`}</title>
        <path d=${through(points)} style=${{ strokeWidth: `${1 + (7 * Math.sqrt(edge.count)) / Math.sqrt(most)}px` }} marker-end="url(#tip)" />
        <text x=${middle.x} y=${middle.y - 5}>${count(edge.count)}</text></g>`;
    })}
    ${picture.nodes.map(({ name, node, x, y }) => html`<g key=${name} class="node" data-end=${node.channel ? undefined : node.kind} onClick=${() => node.kind !== "start" && who(null, node)}>
      <rect x=${x - WIDE / 2} y=${y - HIGH / 2} width=${WIDE} height=${HIGH} rx="8" />
      <text x=${x} y=${node.channel ? y - 3 : y + 5} class="kind">${label(node)}</text>
      ${node.channel && html`<text x=${x} y=${y + 14} class="where">${word("channel", node.channel)} · ${count(node.touchpoints)}</text>`}
      ${dropped.get(name) > 0.005 && html`<text x=${x} y=${y + HIGH / 2 + 14} class="drop">${t.dropsOff(percent(dropped.get(name)))}</text>`}</g>`)}
  </svg>`;
}

const hardness = (rate) => (rate >= 0.25 ? "very" : rate >= 0.08 ? "some" : "none");

// A line that bends at the middles between points.
function through(points) {
  const rest = points.slice(1, -1).map((point, at) => {
    const next = points[at + 2];
    return `Q${point.x} ${point.y} ${(point.x + next.x) / 2} ${(point.y + next.y) / 2}`;
  });
  const last = points.at(-1);
  return `M${points[0].x} ${points[0].y}${rest.join("")}L${last.x} ${last.y}`;
}

function Table({ edges, who }) {
  const t = texts.value.map;
  return html`<div class="table-box" tabindex="0" role="region" aria-label=${t.table}><table>
    <thead><tr>${["from", "to", "count", "share", "friction", "time"].map((name) => html`<th key=${name} scope="col" class=${name === "from" || name === "to" ? "" : "number"}>${t.column[name]}</th>`)}</tr></thead>
    <tbody>${edges.map((edge) => html`<tr key=${idOf(edge)}><td>${full(edge.from)}</td><td>${full(edge.to)}</td><td class="number"><button type="button" class="plain-button" aria-label=${`${full(edge.from)} → ${full(edge.to)}: ${count(edge.count)}`} onClick=${() => who(edge.from, edge.to)}>${count(edge.count)}</button></td>
      <td class="number">${percent(edge.share)}</td><td class="number">${percent(edge.friction_rate)}</td><td class="number">${edge.gap_p50_s === undefined ? "" : span(edge.gap_p50_s * 1000)}</td></tr>`)}</tbody></table></div>`;
}
