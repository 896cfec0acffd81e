// What many customers meet at once: since when, how many, where, how it goes on, and what it holds.
import { useEffect } from "preact/hooks";
import { html } from "../html.js";
import { useReading } from "../reading.js";
import { href } from "../router.js";
import { clock, moment, now, span } from "../times.js";
import { count, language, texts, told, word } from "../words.js";

export function Outbreaks() {
  const t = texts.value.outbreaks;
  const { found, problem } = useReading("api/alerts/v1/outbreaks?limit=100", { every: 10_000 });
  useEffect(() => { document.title = `${t.title} · Waymark`; });
  const running = found?.outbreaks.filter((one) => !one.over_at) ?? [];
  const over = found?.outbreaks.filter((one) => one.over_at) ?? [];
  return html`<main id="main" tabindex="0" class="page overview">
    <h1>${t.title}</h1>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    ${found && html`<p class="truth" data-state=${running.length ? "bad" : "good"}>${running.length ? t.running(running.length) : t.none}</p>`}
    ${running.map((one) => html`<${Outbreak} key=${one.issue.id} one=${one} />`)}
    ${over.length > 0 && html`<h2 class="over">${t.over}</h2>${over.map((one) => html`<${Outbreak} key=${one.issue.id} one=${one} />`)}`}
  </main>`;
}

function Outbreak({ one }) {
  const t = texts.value.outbreaks;
  const { issue } = one;
  const facts = issue.outbreak;
  const length = (one.over_at ? Date.parse(one.over_at) : now.value) - Date.parse(facts.started_at);
  const segments = Object.entries(facts.segments).filter(([, values]) => Object.keys(values).length);
  return html`<article class="sheet" data-running=${!one.over_at} aria-label=${told(issue.title)}>
    <header><h2><a href=${href(`/issues/${issue.id}`)} data-inside>${told(issue.title)}</a></h2>
      <span class="severity" data-severity=${issue.severity}>${word("severity", issue.severity)}</span>
      <span class="chip">${one.over_at ? t.ended(moment(one.over_at)) : t.goesOn}</span>
      ${one.episodes > 1 && html`<span class="chip">${t.episodes(one.episodes)}</span>`}</header>
    <dl class="facts">
      <div><dt>${t.since}</dt><dd><time datetime=${facts.started_at}>${moment(facts.started_at)}</time></dd></div>
      <div><dt>${t.lasts}</dt><dd>${span(length)}</dd></div>
      <div><dt>${t.customers}</dt><dd>${count(facts.customers)}</dd></div>
      <div><dt>${t.frictions}</dt><dd>${count(facts.frictions)}</dd></div>
      <div><dt>${t.usual}</dt><dd>${facts.usual.toLocaleString(language.value, { maximumFractionDigits: 1 })}</dd></div>
      <div><dt>${t.held}</dt><dd>${one.held ? html`<a href=${`${href("/")}?outbreak=${issue.id}`} data-inside>${count(one.held)}</a>` : count(0)}</dd></div>
    </dl>
    <${Trend} trend=${one.trend} />
    ${segments.map(([field, values]) => html`<p key=${field} class="segments"><b>${t.segment[field] ?? field}</b>
      ${Object.entries(values).map(([value, n]) => html`<span key=${value} class="chip">${field === "channel" ? word("channel", value) : field === "service_level" ? word("level", value) : value} ${count(n)}</span>`)}</p>`)}
    ${issue.why && html`<p>${told(issue.why)}</p>`}
    ${issue.playbook && html`<p class="todo"><b>${texts.value.issue.todo}</b> ${told(issue.playbook)}</p>`}
  </article>`;
}

const WIDTH = 640;
const HEIGHT = 72;

// Frictions minute by minute; minutes in which none came are drawn as such.
function Trend({ trend }) {
  const t = texts.value.outbreaks;
  if (trend.length < 2) return null;
  const first = Date.parse(trend[0].minute);
  const minutes = Math.round((Date.parse(trend.at(-1).minute) - first) / 60_000) + 1;
  const most = Math.max(...trend.map((one) => one.frictions));
  const wide = WIDTH / minutes;
  return html`<figure><svg class="trend" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label=${t.trend(most, moment(trend[0].minute), moment(trend.at(-1).minute))}>
    ${trend.map((one) => {
      const high = Math.max(2, (one.frictions / most) * HEIGHT);
      return html`<rect key=${one.minute} x=${((Date.parse(one.minute) - first) / 60_000) * wide} y=${HEIGHT - high} width=${Math.max(1, wide - 1)} height=${high}><title>${clock(one.minute)} · ${one.frictions}</title></rect>`;
    })}</svg>
    <figcaption><span>${clock(trend[0].minute)}</span><span>${t.most(most)}</span><span>${clock(trend.at(-1).minute)}</span></figcaption></figure>`;
}
