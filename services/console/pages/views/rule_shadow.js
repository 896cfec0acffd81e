// What is in the shadow: each rule there beside the rule in force, over the same time; into force, or out of it.
import { useState } from "preact/hooks";
import { html } from "../html.js";
import { say } from "../notices.js";
import { useReading } from "../reading.js";
import { call, may } from "../session.js";
import { moment } from "../times.js";
import { count, texts, told } from "../words.js";
import { NoteDialog } from "./note_dialog.js";
import { Examples } from "./rule_trial.js";

export function Shadow({ onApplied }) {
  const t = texts.value.shadow;
  const { found, again } = useReading("api/journey/v1/rules/shadow", { every: 15_000 });
  const [doing, setDoing] = useState(null);
  if (!found?.rules.length) return null;
  const work = async (note) => {
    await call("POST", `api/journey/v1/rules/shadow/${doing}`, { note });
    say(doing === "apply" ? texts.value.rules.applied : t.ended);
    again();
    onApplied();
  };
  return html`<section class="sheet shadow"><header><h2>${t.title}</h2>
      <span class="faint">${t.by(found.author, moment(found.stored_at))}</span>${found.note && html`<q>${found.note}</q>`}</header>
    <div class="table-box" tabindex="0" role="region" aria-label=${t.title}><table>
      <thead><tr><th scope="col">${texts.value.rules.column.rule}</th>${["found", "inForce", "new", "gone"].map((name) => html`<th key=${name} scope="col" class="number">${t.column[name]}</th>`)}</tr></thead>
      <tbody>${found.rules.map((one) => html`<tr key=${one.id}><th scope="row">${told(one.title)}<span class="second faint">${one.is_new ? t.isNew : t.since(moment(one.since))}</span></th>
        <td class="number">${count(one.found)}</td><td class="number">${one.is_new ? "–" : count(one.in_force)}</td><td class="number">${count(one.new)}</td><td class="number">${count(one.gone)}</td></tr>
        ${one.examples.length > 0 && html`<tr class="detail" key=${`${one.id} examples`}><td colspan="5"><details><summary>${t.examples}</summary><${Examples} examples=${one.examples} /></details></td></tr>`}`)}</tbody></table></div>
    ${may("rule") && html`<div class="buttons"><button type="button" onClick=${() => setDoing("end")}>${t.end}</button><button type="button" class="primary" onClick=${() => setDoing("apply")}>${t.apply}</button></div>`}
    ${doing && html`<${NoteDialog} title=${doing === "apply" ? texts.value.rules.applyTitle : t.endTitle} about=${doing === "apply" ? texts.value.rules.applyAbout : t.endAbout} button=${doing === "apply" ? t.apply : t.end} work=${work} onClose=${() => setDoing(null)} />`}
  </section>`;
}
