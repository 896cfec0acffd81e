// The rules in force: what each looks for, how often it found something, and how they came to be what they are.
import { useEffect, useState } from "preact/hooks";
import { html } from "../html.js";
import { say } from "../notices.js";
import { useReading } from "../reading.js";
import { go, href, place, withQuery } from "../router.js";
import { call, may } from "../session.js";
import { moment } from "../times.js";
import { count, texts, told, word } from "../words.js";
import { NoteDialog } from "./note_dialog.js";
import { RuleEditor } from "./rule_editor.js";
import { Shadow } from "./rule_shadow.js";

export const Rules = () => (place.value.path === "/rules" ? html`<${RuleList} />` : html`<${RuleEditor} />`);

function RuleList() {
  const t = texts.value.rules;
  const { found, problem, again } = useReading("api/journey/v1/rules");
  const history = useReading("api/journey/v1/rules/history");
  const said = useReading("api/alerts/v1/feedback").found?.counts ?? [];
  const { query } = place.value;
  const onlyOn = query.get("on") !== "all";
  const typed = query.get("q") ?? "";
  useEffect(() => { document.title = `${t.title} · Waymark`; });
  const rules = (found?.rules ?? []).filter((one) => (!onlyOn || one.enabled) && `${one.id} ${one.title.ko} ${one.title.en}`.toLowerCase().includes(typed.toLowerCase()));
  const most = Math.max(1, ...rules.map((one) => one.frictions));
  const change = (changes) => go(withQuery(changes), { replace: true });
  const renewed = () => { again(); history.again(); };
  return html`<main id="main" tabindex="-1" class="page overview">
    <h1>${t.title}</h1>
    <${Shadow} onApplied=${renewed} />
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    ${found && html`<p class="faint">${t.version(found.version, found.author, moment(found.stored_at))} ${found.note && html`<q>${found.note}</q>`}</p>
      <div class="controls overview-controls">
        <div class="views" role="group" aria-label=${t.shown}>
          <button type="button" aria-pressed=${onlyOn} onClick=${() => change({ on: "" })}>${t.inForce}</button>
          <button type="button" aria-pressed=${!onlyOn} onClick=${() => change({ on: "all" })}>${t.all}</button>
        </div>
        <input type="search" aria-label=${t.search} placeholder=${t.search} value=${typed} maxlength="100" onInput=${(event) => change({ q: event.target.value })} />
        ${may("rule") && html`<a class="button" href=${href("/rules/new")} data-inside>${t.add}</a>`}
      </div>
      <div class="sheet table-box" tabindex="0" role="region" aria-label=${t.title}><table>
        <thead><tr>${["rule", "severity", "found", "unanswered", "useful", "cost", "since"].map((name) => html`<th key=${name} scope="col" class=${["found", "unanswered", "useful", "cost"].includes(name) ? "number" : ""}>${t.column[name]}</th>`)}</tr></thead>
        <tbody>${rules.map((one) => html`<${Rule} key=${one.id} one=${one} most=${most} said=${said.find((each) => each.rule === one.id && each.rule_version === one.rule_version)} />`)}</tbody></table></div>`}
    ${history.found && html`<h2>${t.history}</h2><ol class="history">${[...history.found.versions].sort((a, b) => b.version - a.version).map((one) => html`<${Version} key=${one.version} one=${one} titles=${found} onApplied=${renewed} />`)}</ol>`}
  </main>`;
}

function Rule({ one, most, said }) {
  const t = texts.value.rules;
  const [open, setOpen] = useState(false);
  return html`<tr>
      <th scope="row"><button type="button" class="plain-button" aria-expanded=${open} onClick=${() => setOpen(!open)}>${told(one.title)}</button>
        <span class="second"><code>${one.id}</code></span></th>
      <td>${one.enabled ? html`<span class="severity" data-severity=${one.severity}>${word("severity", one.severity)}</span>` : html`<span class="chip">${t.off}</span>`}</td>
      <td class="number"><a href=${`${href("/")}?rule=${encodeURIComponent(one.id)}`} data-inside>${count(one.frictions)}</a>
        <span class="measure" aria-hidden="true"><span style=${{ width: `${(100 * one.frictions) / most}%` }}></span></span></td>
      <td class="number">${one.customers_without_answer ? html`<b class="due" data-late="true">${count(one.customers_without_answer)}</b>` : count(0)}</td>
      <td class="number">${said ? `${count(said.useful)} · ${count(said.noise)}` : "–"}</td>
      <td class="number">${one.cost_us?.toFixed(1) ?? "–"}</td>
      <td>${t.sinceVersion(one.since_version)}</td>
    </tr>
    ${open && html`<tr class="detail"><td colspan="7"><${Whole} id=${one.id} /></td></tr>`}`;
}

function Whole({ id }) {
  const t = texts.value.rules;
  const { found, problem } = useReading(`api/journey/v1/rules/${encodeURIComponent(id)}`);
  if (problem) return html`<p class="problem" role="alert">${problem}</p>`;
  if (!found) return html`<p class="faint">${texts.value.loading}</p>`;
  const { title, explanation, playbook, ...rest } = found.rule;
  return html`<div class="whole-rule">
    ${explanation && html`<p><b>${t.says}</b> ${told(explanation)}</p>`}
    ${playbook && html`<p><b>${texts.value.issue.todo}</b> ${told(playbook)}</p>`}
    <pre lang="en" tabindex="0" aria-label=${t.definition}>${JSON.stringify(rest, null, 2)}</pre>
    <p><a class="button" href=${href(`/rules/${encodeURIComponent(id)}`)} data-inside>${may("rule") ? t.edit : t.look}</a></p></div>`;
}

function Version({ one, titles, onApplied }) {
  const t = texts.value.rules;
  const [asks, setAsks] = useState(false);
  const back = async (note) => {
    await call("POST", "api/journey/v1/rules/apply", { version: one.version, note });
    say(t.applied);
    onApplied();
  };
  const named = (id) => told(titles?.rules.find((rule) => rule.id === id)?.title) || id;
  const parts = ["new", "gone", "on", "off"].filter((name) => one.changes[name].length).map((name) => [t.change[name], one.changes[name]]);
  const changed = Object.keys(one.changes.changed);
  if (changed.length) parts.push([t.change.changed, changed]);
  return html`<li class="sheet"><h3>${t.versionOf(one.version)} <span class="faint">${one.author}, ${moment(one.stored_at)}</span></h3>
    ${one.note && html`<q>${one.note}</q>`}
    ${parts.map(([label, ids]) => html`<details key=${label}><summary>${label} ${count(ids.length)}</summary><p>${ids.map(named).join(", ")}</p></details>`)}
    ${may("rule") && titles && one.version !== titles.version && html`<p><button type="button" class="quiet" onClick=${() => setAsks(true)}>${t.backTo(one.version)}</button></p>`}
    ${asks && html`<${NoteDialog} title=${t.backTo(one.version)} about=${t.applyAbout} button=${t.apply} work=${back} onClose=${() => setAsks(false)} />`}</li>`;
}
