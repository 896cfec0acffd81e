// "Try on the last 7 days": how far the trial is, then old against new by day, a warning of noise, and examples to open.
import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "../html.js";
import { readLines } from "../lines.js";
import { explain } from "../notices.js";
import { href } from "../router.js";
import { moment, span } from "../times.js";
import { daysOf, shapeOf } from "../trial_shape.js";
import { count, language, texts } from "../words.js";

const WEEK = 7 * 24 * 60 * 60 * 1000;
const HIGH = 110;
const WIDE = 64;

// Tries `text`, a whole file in which the rule `id` is changed, when somebody asks for it. Leaving the page ends it.
export function Trial({ id, text, isSound }) {
  const t = texts.value.trial;
  const [state, setState] = useState({ progress: null, found: null, problem: "" });
  const control = useRef(null);
  useEffect(() => () => control.current?.abort(), []);
  const run = async () => {
    control.current = new AbortController();
    const until = Date.now();
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const since = until - WEEK;
    setState({ progress: { customers: 0, of: 0 }, found: null, problem: "" });
    const heard = (line) => {
      if (line.progress) setState({ progress: line.progress, found: null, problem: "" });
      if (line.problem) setState({ progress: null, found: null, problem: line.problem.message });
      if (line.result) setState({ progress: null, found: { result: line.result, shape: shapeOf(line.result, id, daysOf(since, until, zone)), text }, problem: "" });
    };
    try {
      await readLines("api/journey/v1/rules/backtest", { text, since: new Date(since).toISOString(), until: new Date(until).toISOString(), zone }, heard, control.current.signal);
      setState((now) => (now.progress ? { progress: null, found: null, problem: texts.value.trial.broken } : now));
    } catch (refusal) {
      setState({ progress: null, found: null, problem: refusal.name === "AbortError" ? "" : refusal.code === "trial_running" ? texts.value.trial.busy : explain(refusal) });
    }
  };
  const { progress, found, problem } = state;
  return html`<section class="sheet trial" aria-labelledby="trial-title"><header><h2 id="trial-title">${t.title}</h2>
      ${progress ? html`<button type="button" onClick=${() => control.current.abort()}>${t.stop}</button>`
        : html`<button type="button" class="primary" disabled=${!isSound} onClick=${run}>${t.run}</button>`}</header>
    <p class="faint">${t.about}</p>
    ${progress && html`<p role="status"><progress max=${progress.of || 1} value=${progress.customers} aria-label=${t.title}></progress> ${progress.of ? t.progress(progress.customers, progress.of) : t.begins}
      ${progress.remaining_s > 0 ? ` ${t.remaining(span(progress.remaining_s * 1000))}` : ""}</p>`}
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    ${found && html`<${Found} ...${found} isStale=${found.text !== text} />`}
  </section>`;
}

function Found({ result, shape, isStale }) {
  const t = texts.value.trial;
  const { rule } = shape;
  return html`
    ${isStale && html`<p class="chip">${t.stale}</p>`}
    <p class="truth" role="status" data-state=${shape.isNoisy ? "doubt" : "good"}>${t.sentence(rule.found, rule.in_force)} ${shape.isNoisy ? t.noisy(shape.issues.then, shape.issues.now) : t.calm(shape.issues.then, shape.issues.now)}</p>
    <p class="faint">${t.over(result.customers, result.touchpoints)} ${rule.cost_us === null ? "" : t.cost(rule.cost_us.toLocaleString(language.value))}</p>
    <${Days} shape=${shape} />
    <div class="example-lists">${[["new", rule.new, rule.counts.new], ["gone", rule.gone, rule.counts.gone]].map(([name, all, n]) => html`<div key=${name}><h3>${t[name](n)}</h3>
      <${Examples} examples=${all.slice(0, 8)} />${n > 8 ? html`<p class="faint">${t.more(n - 8)}</p>` : ""}</div>`)}</div>
    ${rule.counts.moved > 0 && html`<p class="faint">${t.moved(rule.counts.moved)}</p>`}
    ${rule.counts.failures > 0 && html`<p class="problem" role="alert">${t.failures(rule.counts.failures)}</p>`}`;
}

export const Examples = ({ examples }) => html`<ul class="examples">${examples.map((one) => html`<li key=${one.friction_id}>
  <a href=${href(`/customers/${one.customer_id}`)} data-inside>${texts.value.inbox.customer(one.customer_id.slice(-6))}</a> <time datetime=${one.at ?? one.occurred_at}>${moment(one.at ?? one.occurred_at)}</time></li>`)}</ul>`;

function Days({ shape }) {
  const t = texts.value.trial;
  const { days, most } = shape;
  const named = (day) => new Date(`${day}T12:00:00Z`).toLocaleDateString(language.value, { month: "numeric", day: "numeric", timeZone: "UTC" });
  const high = (n) => (n ? Math.max(2, (n / most) * HIGH) : 0);
  return html`<figure class="days"><svg viewBox=${`0 0 ${days.length * WIDE} ${HIGH + 34}`} role="img" aria-label=${t.byDay}>
      ${days.map((row, at) => html`<g key=${row.day} transform=${`translate(${at * WIDE} 0)`}><title>${`${named(row.day)}: ${t.now} ${row.now}, ${t.then} ${row.then}`}</title>
        <rect class="was" x="8" y=${HIGH + 14 - high(row.now)} width="22" height=${high(row.now)} /><rect class="becomes" x="33" y=${HIGH + 14 - high(row.then)} width="22" height=${high(row.then)} />
        <text x="19" y=${HIGH + 10 - high(row.now)}>${row.now || ""}</text><text x="44" y=${HIGH + 10 - high(row.then)}>${row.then || ""}</text>
        <text class="day" x="32" y=${HIGH + 30}>${named(row.day)}</text></g>`)}</svg>
    <figcaption><span class="key was">${t.now}</span><span class="key becomes">${t.then}</span></figcaption>
    <details><summary>${t.table}</summary><table><thead><tr><th scope="col">${t.day}</th><th scope="col" class="number">${t.now}</th><th scope="col" class="number">${t.then}</th></tr></thead>
      <tbody>${days.map((row) => html`<tr key=${row.day}><th scope="row">${named(row.day)}</th><td class="number">${count(row.now)}</td><td class="number">${count(row.then)}</td></tr>`)}</tbody></table></details></figure>`;
}
