// Did it help: before and after a moment, with intervals, the same elsewhere and what to mind; and the register of
// improvements.
import { useEffect } from "preact/hooks";
import { html } from "../html.js";
import { useReading } from "../reading.js";
import { go, place, withQuery } from "../router.js";
import { moment } from "../times.js";
import { count, texts, told } from "../words.js";
import { Changes } from "./change_table.js";
import { Improvements } from "./improvements.js";
import { ScopeFields } from "./scope_fields.js";

const SCOPE = ["rule", "team", "reason", "channel", "service_level"];
const DAY = 24 * 60 * 60 * 1000;

export function ImpactPage() {
  const t = texts.value.impact;
  const { query } = place.value;
  const rules = useReading("api/journey/v1/rules");
  useEffect(() => { document.title = `${t.title} · Waymark`; });
  const at = query.get("at") ?? new Date(Math.floor((Date.now() - 7 * DAY) / DAY) * DAY).toISOString();
  const asked = new URLSearchParams({ at });
  for (const name of [...SCOPE, "days"]) if (query.get(name)) asked.set(name, query.get(name));
  const { found, problem } = useReading(`api/alerts/v1/impact?${asked}`);
  const change = (changes) => go(withQuery(changes), { replace: true });
  return html`<main id="main" tabindex="-1" class="page overview">
    <h1>${t.title}</h1>
    <p class="faint">${t.about}</p>
    <div class="controls overview-controls impact-controls">
      <label>${t.at}<input type="datetime-local" value=${local(at)} max=${local(new Date(Date.now() - DAY).toISOString())} onChange=${(event) => event.target.value && change({ at: new Date(event.target.value).toISOString() })} /></label>
      <label>${t.days}<select onChange=${(event) => change({ days: event.target.value })}>${["7", "14", "28", "56"].map((one) => html`<option key=${one} value=${one} selected=${one === (query.get("days") ?? "28")}>${texts.value.days(one)}</option>`)}</select></label>
      <${ScopeFields} rules=${rules.found?.rules ?? []} values=${Object.fromEntries(SCOPE.map((name) => [name, query.get(name) ?? ""]))} onChange=${change} />
    </div>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    ${found && html`<${Found} found=${found} />`}
    <${Improvements} rules=${rules.found?.rules ?? []} />
  </main>`;
}

const local = (text) => {
  const then = new Date(text);
  return new Date(then - then.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
};

function Found({ found }) {
  const t = texts.value.impact;
  const { periods } = found;
  return html`<section class="sheet impact"><h2>${t.compared(moment(periods.start), moment(periods.at), moment(periods.end), periods.days)}</h2>
    <${Changes} changes=${found.changes} elsewhere=${found.elsewhere} currency=${found.currency} />
    <${Daily} before=${found.frictions_before} after=${found.frictions_after} />
    <div><h3>${t.mind}</h3><ul class="caveats">${found.caveats.map((one) => html`<li key=${one.en}>${told(one)}</li>`)}</ul></div></section>`;
}

const HIGH = 64;

function Daily({ before, after }) {
  const t = texts.value.impact;
  const all = [...before, ...after];
  const most = Math.max(1, ...all);
  const wide = 640 / all.length;
  return html`<figure class="daily"><svg class="trend" viewBox=${`0 0 640 ${HIGH}`} preserveAspectRatio="none" role="img" aria-label=${t.daily(Math.max(0, ...before), Math.max(0, ...after))}>
      ${all.map((n, at) => html`<rect key=${at} class=${at < before.length ? "was" : "becomes"} x=${at * wide + wide * 0.1} y=${HIGH - Math.max(n ? 2 : 0, (n / most) * HIGH)} width=${wide * 0.8} height=${Math.max(n ? 2 : 0, (n / most) * HIGH)}><title>${count(n)}</title></rect>`)}
      <path class="zero" d=${`M${before.length * wide} 0V${HIGH}`} /></svg>
    <figcaption><span class="key was">${t.column.before}</span><span>${t.perDay(most)}</span><span class="key becomes">${t.column.after}</span></figcaption></figure>`;
}
