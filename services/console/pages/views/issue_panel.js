// One issue beside the list: what to do, why, what happened, who was told, who did what.
import { useEffect, useState } from "preact/hooks";
import { reopen } from "../deeds.js";
import { html } from "../html.js";
import { explain } from "../notices.js";
import { href } from "../router.js";
import { call, may, session } from "../session.js";
import { clock, moment } from "../times.js";
import { count, language, texts, told, word } from "../words.js";
import { IssueFeedback } from "./issue_feedback.js";
import { deadline, holder, shortName } from "./issue_row.js";

export function IssuePanel({ id, newest, onClose, onDialog, onTake, onRelease }) {
  const t = texts.value;
  const [detail, setDetail] = useState(null);
  const [problem, setProblem] = useState("");
  const version = newest?.version ?? 0;
  useEffect(() => {
    const control = new AbortController();
    call("GET", `api/alerts/v1/issues/${encodeURIComponent(id)}`, undefined, { signal: control.signal })
      .then((found) => { setDetail(found); setProblem(""); }, (refusal) => { if (refusal.name !== "AbortError") setProblem(explain(refusal)); });
    return () => control.abort();
  }, [id, version]);
  const issue = detail && !(newest?.version >= detail.version) ? detail : newest;
  return html`<aside class="panel" aria-label=${t.issue.details}>
    <button type="button" class="quiet close" onClick=${onClose} aria-label=${t.close}>×</button>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    ${issue && html`<h1>${told(issue.title)}</h1>
      <${Facts} issue=${issue} />
      ${issue.customer_id && html`<a class="to-story" href=${href(`/customers/${issue.customer_id}`)} data-inside>${t.issue.customer} <kbd>c</kbd></a>`}
      ${may("act") && html`<${Deeds} issue=${issue} onDialog=${onDialog} onTake=${onTake} onRelease=${onRelease} />`}
      ${issue.held_by && html`<p class="note-line">${t.issue.outbreak}</p>`}
      ${issue.playbook && html`<section class="todo"><h2>${t.issue.todo}</h2><p>${told(issue.playbook)}</p></section>`}
      ${issue.why && html`<section><h2>${t.issue.why}</h2><p>${told(issue.why)}</p></section>`}
      <${Story} issue=${issue} />
      <${Factors} priority=${issue.priority} />
      <${IssueFeedback} key=${issue.id} id=${issue.id} version=${issue.version} />
      ${detail && html`<${Evidence} detail=${detail} /><${Told} detail=${detail} /><${History} detail=${detail} />`}`}
  </aside>`;
}

function Facts({ issue }) {
  const t = texts.value;
  const due = deadline(issue);
  const journey = issue.journey;
  const money = journey?.value && new Intl.NumberFormat(language.value, { style: "currency", currency: journey.value.currency, maximumFractionDigits: 0 }).format(journey.value.amount);
  const facts = [
    [t.inbox.column.customer, issue.outbreak ? t.inbox.customers(issue.outbreak.customers) : shortName(issue.customer_id ?? "")],
    [t.issue.level, word("level", issue.service_level)],
    [t.inbox.column.owner, issue.state === "resolved" ? word("outcome", issue.resolution) : holder(issue) || t.inbox.nobody],
    [t.inbox.column.deadline, due ? `${t.inbox[due.kind]} · ${due.text}` : ""],
    [t.issue.effort, journey ? `${Math.round(journey.effort)} / 100` : ""],
    [t.issue.contacts, journey ? count(journey.contact_count) : ""],
    [t.issue.value, money],
  ].filter(([, value]) => value);
  return html`<p class="chips">
      <span class="chip severity" data-severity=${issue.severity}>${word("severity", issue.severity)}</span>
      <span class="chip">${word("state", issue.state)}</span>
      ${issue.channel && html`<span class="chip">${word("channel", issue.channel)}</span>`}
      ${issue.reason && html`<span class="chip">${word("reason", issue.reason)}</span>`}
    </p>
    <dl class="facts">${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function Deeds({ issue, onDialog, onTake, onRelease }) {
  const t = texts.value.issue;
  if (issue.state === "resolved") {
    return issue.merged_into ? null : html`<div class="deeds"><button type="button" onClick=${() => reopen(issue)}>${t.reopen}</button></div>`;
  }
  const isMine = issue.owner && issue.owner === session.value.label;
  return html`<div class="deeds">
    ${isMine ? html`<button type="button" onClick=${() => onRelease(issue)}>${t.release}</button>`
      : html`<button type="button" class="primary" onClick=${() => onTake(issue)}>${t.take} <kbd>a</kbd></button>`}
    <button type="button" class=${isMine ? "primary" : ""} onClick=${() => onDialog("resolve", issue)}>${t.resolve} <kbd>e</kbd></button>
    <button type="button" onClick=${() => onDialog("snooze", issue)}>${t.snooze} <kbd>s</kbd></button>
    <button type="button" onClick=${() => onDialog("note", issue)}>${t.note} <kbd>n</kbd></button>
  </div>`;
}

function Story({ issue }) {
  const t = texts.value;
  const steps = issue.story ?? [];
  if (!steps.length) return null;
  return html`<section><h2>${t.issue.story}</h2>
    <ol class="story">${steps.map((step, at) => html`<li key=${at} data-since=${step.since}>
      <time datetime=${step.occurred_at} title=${moment(step.occurred_at)}>${clock(step.occurred_at)}</time>
      <span>${step.since && html`<b>${t.inbox.since}</b> `}${told(step.said)}</span></li>`)}</ol></section>`;
}

function Factors({ priority }) {
  const t = texts.value.issue;
  if (!priority?.factors?.length) return null;
  const most = Math.max(...priority.factors.map((one) => Math.abs(one.points)), 1);
  return html`<section><h2>${t.factors}</h2>
    <ul class="factors">${priority.factors.map((one) => html`<li key=${one.factor}>
      <span>${word("factor", one.factor)}</span>
      <span class="measure" aria-hidden="true"><span data-below=${one.points < 0} style=${{ width: `${(100 * Math.abs(one.points)) / most}%` }}></span></span>
      <b>${t.points(one.points)}</b></li>`)}</ul></section>`;
}

function Evidence({ detail }) {
  const t = texts.value.issue;
  return html`<section><h2>${t.evidence}</h2>
    <ul class="plain">${detail.evidence.map((one) => html`<li key=${one.id} data-retracted=${one.state === "retracted"}>
      ${told(one.explanation)}${one.state === "retracted" && html` <span class="chip">${t.retracted}</span>`}</li>`)}</ul>
    <${Older} left=${detail.not_shown.evidence} /></section>`;
}

function Told({ detail }) {
  const t = texts.value;
  return html`<section><h2>${t.issue.told}</h2>
    ${detail.deliveries.length ? html`<ul class="plain">${detail.deliveries.map((one) => html`<li key=${one.id}>
      <time datetime=${one.created_at} title=${moment(one.created_at)}>${clock(one.created_at)}</time> ${one.endpoint}
      ${" "}<span class="chip" data-state=${one.state}>${word("delivery", one.state)}</span>
      ${one.attempts > 1 && ` ${t.issue.attempts(one.attempts)}`}</li>`)}</ul>` : html`<p class="faint">${t.issue.nothing}</p>`}
    <${Older} left=${detail.not_shown.deliveries} /></section>`;
}

function History({ detail }) {
  const t = texts.value;
  return html`<section><h2>${t.issue.history}</h2>
    <ul class="plain">${detail.events.map((one, at) => html`<li key=${at}>
      <time datetime=${one.at} title=${moment(one.at)}>${clock(one.at)}</time>
      ${" "}<b>${one.actor === "waymark" ? t.issue.us : one.actor}</b> ${word("event", one.kind)}
      ${one.detail.note && html`<q>${one.detail.note}</q>`}</li>`)}</ul>
    <${Older} left=${detail.not_shown.events} /></section>`;
}

const Older = ({ left }) => (left > 0 ? html`<p class="faint">${texts.value.issue.older(left)}</p>` : null);
