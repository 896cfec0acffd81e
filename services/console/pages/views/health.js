// For operators: is it well, in one sentence; the chain from producers to teams with lag and last success; findings with
// the mend.
import { useEffect, useState } from "preact/hooks";
import { behindOf, findings, partOf } from "../health_truth.js";
import { html } from "../html.js";
import { explain, say } from "../notices.js";
import { useReading } from "../reading.js";
import { href } from "../router.js";
import { call, may } from "../session.js";
import { clock, moment, now, span } from "../times.js";
import { count, texts } from "../words.js";

const APIS = ["ingest", "journey", "alerts"];
const EVERY = 5000;

export function Health() {
  const t = texts.value.health;
  const parts = useParts();
  const pipeline = useReading("api/journey/v1/pipeline", { every: EVERY });
  const hearing = useReading("api/alerts/v1/hearing", { every: EVERY });
  const summary = useReading("api/alerts/v1/issues/summary?state=unresolved", { every: EVERY });
  const endpoints = useReading(may("operate") ? "api/alerts/v1/endpoints" : null, { every: EVERY });
  useEffect(() => { document.title = `${t.title} · Waymark`; });
  if (!parts) return html`<main id="main" tabindex="0" class="page overview" aria-busy="true"><h1>${t.title}</h1><p class="faint">${texts.value.loading}</p></main>`;
  const found = findings({ parts, pipeline: pipeline.problem ? null : pipeline.found, hearing: hearing.problem ? null : hearing.found });
  const worst = found[0];
  return html`<main id="main" tabindex="0" class="page overview">
    <h1>${t.title}</h1>
    <p class="truth" role="status" data-state=${!worst ? "good" : worst.bad ? "bad" : "doubt"}>${worst ? sentence(worst) : t.well(hearing.found?.living ?? 0)}</p>
    <ol class="chain" aria-label=${t.chain}>
      <${Link} name=${t.part.ingest} state=${parts.ingest.state} facts=${[[t.lastApplied, pipeline.found?.applied_at && html`<${Ago} at=${pipeline.found.applied_at} />`]]} />
      <${Link} name=${t.part.worker} state=${workerState(pipeline.found)} facts=${workerFacts(pipeline.found)} />
      <${Link} name=${t.part.alerts} state=${parts.alerts.state} facts=${[[t.openIssues, summary.found && count(summary.found.total)],
        [t.lastFriction, pipeline.found?.friction_at && html`<${Ago} at=${pipeline.found.friction_at} />`]]} />
      ${endpoints.found?.length ? endpoints.found.map((one) => html`<${Endpoint} key=${one.id} one=${one} silent=${hearing.found?.silent.find((silent) => silent.id === one.id)} onTested=${endpoints.again} />`)
        : hearing.found && html`<${Link} name=${t.part.endpoints} state=${hearing.found.living ? "ready" : "doubtful"} facts=${[[t.living, `${count(hearing.found.living)} / ${count(hearing.found.endpoints)}`]]} />`}
    </ol>
    <h2>${t.findings}</h2>
    ${found.length ? html`<ul class="findings">${found.map((one, at) => html`<li key=${at} class="sheet" data-bad=${one.bad}>
      <p><b>${sentence(one)}</b></p>
      ${one.doubts?.length > 0 && html`<p lang="en"><code>${one.doubts.join("; ")}</code></p>`}
      <p><span class="faint">${t.mend}</span> ${t.mends[one.code]}${one.code === "unheard" ? html` <a href=${href("/")} data-inside>${texts.value.page.inbox}</a>` : ""}</p></li>`)}</ul>`
      : html`<p class="faint">${t.noFindings}</p>`}
  </main>`;
}

function sentence(one) {
  const t = texts.value.health;
  const part = one.part && t.part[one.part];
  return {
    silent: () => t.says.silent(part), unready: () => t.says.unready(part), doubtful: () => t.says.doubtful(part),
    workerNever: () => t.says.workerNever, workerUnknown: () => t.says.workerUnknown, late: () => t.says.late(span(one.behind)),
    unpublished: () => t.says.unpublished(count(one.count)), nobody: () => t.says.nobody,
    unheard: () => t.says.unheard(count(one.count), one.since ? clock(one.since) : ""), ways: () => t.says.ways(one.names.join(", ")),
    endpoint: () => t.says.endpoint(one.name, t.silence[one.reason] ?? one.reason, one.since ? clock(one.since) : "", one.waiting),
  }[one.code]();
}

// What each API says of itself, as text for people; read again every few seconds.
function useParts() {
  const [parts, setParts] = useState(null);
  useEffect(() => {
    let isOver = false;
    const one = (api) => fetch(`api/${api}/readyz?verbose`, { cache: "no-store", credentials: "same-origin" })
      .then(async (answer) => partOf(answer.status, await answer.text()), () => partOf(0, ""));
    const read = () => Promise.all(APIS.map(one)).then((all) => { if (!isOver) setParts(Object.fromEntries(APIS.map((api, at) => [api, all[at]]))); });
    read();
    const timer = setInterval(() => { if (document.visibilityState === "visible") read(); }, EVERY);
    return () => { isOver = true; clearInterval(timer); };
  }, []);
  return parts;
}

const Ago = ({ at }) => html`<time datetime=${at} title=${moment(at)}>${texts.value.health.ago(span(now.value - Date.parse(at)))}</time>`;

function workerState(pipeline) {
  if (!pipeline) return "silent";
  const behind = behindOf(pipeline);
  return !pipeline.partitions || behind > 60_000 ? "unready" : behind === null ? "doubtful" : "ready";
}

function workerFacts(pipeline) {
  const t = texts.value.health;
  if (!pipeline) return [];
  const behind = behindOf(pipeline);
  return [[t.behind, behind === null ? "–" : behind < 5000 ? t.none : span(behind)], [t.waiting, count(pipeline.waiting)]];
}

function Link({ name, state, facts, children }) {
  return html`<li class="sheet link" data-state=${state}><h2>${name}</h2>
    <p class="state">${texts.value.health.state[state]}</p>
    <dl>${facts.filter(([, value]) => value).map(([label, value]) => html`<div key=${label}><dt>${label}</dt><dd>${value}</dd></div>`)}</dl>${children}</li>`;
}

function Endpoint({ one, silent, onTested }) {
  const t = texts.value.health;
  const state = silent ? "unready" : !one.enabled ? "doubtful" : "ready";
  const test = async () => {
    try {
      await call("POST", `api/alerts/v1/endpoints/${one.id}/test`, {});
      say(t.tested(one.name));
      onTested();
    } catch (refusal) {
      say(explain(refusal));
    }
  };
  return html`<${Link} name=${one.name} state=${state} facts=${[[t.lastSuccess, one.last_success_at ? html`<${Ago} at=${one.last_success_at} />` : t.never],
    [t.failingSince, one.failing_since && moment(one.failing_since)], [t.waiting, silent ? count(silent.waiting) : ""]]}>
    <button type="button" class="quiet" onClick=${test} aria-label=${t.testOf(one.name)}>${t.test}</button><//>`;
}
