// The register of improvements: proposed with an estimate, decided with a reason, done, and measured five weeks later.
import { useState } from "preact/hooks";
import { html } from "../html.js";
import { explain, say } from "../notices.js";
import { useReading } from "../reading.js";
import { href } from "../router.js";
import { call, may } from "../session.js";
import { moment } from "../times.js";
import { count, language, texts } from "../words.js";
import { Buttons, Dialog } from "./dialog.js";
import { Changes } from "./change_table.js";
import { NoteDialog } from "./note_dialog.js";
import { ScopeFields, scopeWords } from "./scope_fields.js";

export function Improvements({ rules }) {
  const t = texts.value.improvements;
  const { found, problem, again } = useReading("api/alerts/v1/improvements");
  const [asks, setAsks] = useState(false);
  return html`<div class="register-head"><h2>${t.title}</h2>${may("propose") && html`<button type="button" onClick=${() => setAsks(true)}>${t.propose}</button>`}</div>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    ${found && !found.improvements.length && html`<p class="faint">${t.none}</p>`}
    ${found?.improvements.map((one) => html`<${Improvement} key=${one.id} one=${one} rules=${rules} onChanged=${again} />`)}
    ${asks && html`<${Proposal} rules=${rules} onClose=${() => setAsks(false)} onDone=${again} />`}`;
}

const some = (value) => value.toLocaleString(language.value, { maximumFractionDigits: 1 });
const money = (value, currency) => (currency ? value.toLocaleString(language.value, { style: "currency", currency, maximumFractionDigits: 0 }) : some(value));

function Improvement({ one, rules, onChanged }) {
  const t = texts.value.improvements;
  const [doing, setDoing] = useState(null);
  const { counts } = one.estimate;
  const bodies = { accept: (reason) => ["decide", { accept: true, reason }], decline: (reason) => ["decide", { accept: false, reason }], done: (note) => ["done", { note }] };
  const work = async (text) => {
    const [action, body] = bodies[doing](text);
    await call("POST", `api/alerts/v1/improvements/${one.id}/${action}`, body);
    say(t.said[doing]);
    onChanged();
  };
  const isOpen = ["proposed", "accepted", "declined"].includes(one.state);
  const compare = new URLSearchParams({ at: one.in_force_at ?? "", ...one.scope });
  return html`<article class="sheet improvement" aria-label=${one.title}>
    <header><h3>${one.title}</h3><span class="chip" data-state=${one.state}>${t.state[one.state]}</span><span class="faint">${scopeWords(one.scope, rules)}</span></header>
    <p>${t.estimate(count(counts.days), count(counts.frictions), count(counts.customers), some(one.estimate.frictions), some(one.estimate.customers))}
      ${counts.value > 0 ? ` ${t.worth(money(one.estimate.value, counts.currency))}` : ""}</p>
    <ol class="steps">${one.history.map((step, at) => html`<li key=${at}><b>${t.state[step.state]}</b> <span class="faint">${step.actor}, ${moment(step.at)}</span> ${step.reason && html`<q>${step.reason}</q>`}</li>`)}</ol>
    ${one.in_force_at && html`<p class="faint">${t.inForce(moment(one.in_force_at))} ${one.measure_at && one.state === "done" ? t.measuredAt(moment(one.measure_at)) : ""}
      <a href=${`${href("/impact")}?${compare}`} data-inside>${t.compare}</a></p>`}
    ${one.changes?.length > 0 && html`<${Changes} changes=${one.changes} currency=${counts.currency} of=${one.title} />`}
    <div class="segments">
      ${isOpen && may("decide") && one.state !== "accepted" && html`<button type="button" onClick=${() => setDoing("accept")}>${t.accept}</button>`}
      ${isOpen && may("decide") && one.state !== "declined" && html`<button type="button" onClick=${() => setDoing("decline")}>${t.decline}</button>`}
      ${one.state === "accepted" && may("propose") && html`<button type="button" class="primary" onClick=${() => setDoing("done")}>${t.done}</button>`}</div>
    ${doing && html`<${NoteDialog} title=${t[doing]} about=${one.title} button=${t[doing]} work=${work} onClose=${() => setDoing(null)} />`}
  </article>`;
}

function Proposal({ rules, onClose, onDone }) {
  const t = texts.value.improvements;
  const [scope, setScope] = useState({ rule: "", channel: "", reason: "", service_level: "", team: "" });
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    const { title, why, reduction } = event.target.elements;
    const about = Object.fromEntries(Object.entries(scope).filter(([, value]) => value));
    if (!Object.keys(about).length) { setProblem(t.scopeEmpty); return; }
    setBusy(true);
    try {
      await call("POST", "api/alerts/v1/improvements", { title: title.value.trim(), reason: why.value.trim(), scope: about, reduction: Number(reduction.value) / 100 });
      say(t.said.propose);
      onDone();
      onClose();
    } catch (refusal) {
      setProblem(explain(refusal));
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${t.propose} about=${t.about} onClose=${onClose}><form class="stack proposal" onSubmit=${submit}>
    <label for="title">${t.what}</label><input id="title" name="title" type="text" maxlength="200" required autocomplete="off" />
    <label for="why">${t.why}</label><textarea id="why" name="why" rows="2" maxlength="2000" required></textarea>
    <fieldset><legend>${t.cause}</legend><${ScopeFields} rules=${rules} values=${scope} onChange=${(changes) => setScope({ ...scope, ...changes })} /></fieldset>
    <label for="reduction">${t.reduction}</label><input id="reduction" name="reduction" type="number" min="1" max="100" step="1" value="50" required />
    <p class="problem" role="alert">${problem}</p><${Buttons} text=${t.propose} onClose=${onClose} disabled=${busy} /></form><//>`;
}
