// Beside the story: who it is and why one person, how hard it has been and of what, the issues and who was told.
import { useState } from "preact/hooks";
import { html } from "../html.js";
import { masked, typeName } from "../identifiers.js";
import { href } from "../router.js";
import { may } from "../session.js";
import { clock, moment } from "../times.js";
import { texts, told, word } from "../words.js";

export function Known({ story, onSay }) {
  const t = texts.value.story;
  const [clear, setClear] = useState(false);
  const { customer } = story;
  const shown = (type, value) => (clear ? value : masked(type, value));
  return html`<section><h2>${t.known}</h2>
    <ul class="known">${customer.identifiers.map((one) => html`<li key=${`${one.type}:${one.value}`}>
      <span class="faint">${typeName(one.type)}</span> <span class="value">${shown(one.type, one.value)}</span>
      ${one.verified && html` <span class="chip good">${t.verified}</span>`}</li>`)}</ul>
    ${customer.merged_from.length > 0 && html`<p class="faint">${t.mergedFrom(customer.merged_from.length)}</p>`}
    <button type="button" class="quiet" aria-pressed=${clear} onClick=${() => setClear(!clear)}>${clear ? t.hide : t.show}</button>
    ${story.why && html`<details class="why"><summary>${t.why}</summary>
      <p class="hint">${t.whyHint}</p>
      <ul class="plain">${story.why.held_by.map((step, at) => html`<${Evidence} key=${at} step=${step} shown=${shown} />`)}</ul>
      ${story.why.refused.length > 0 && html`<h3>${t.notFollowed}</h3>
        <ul class="plain">${story.why.refused.map((step, at) => html`<${Evidence} key=${at} step=${step} shown=${shown} />`)}</ul>`}
      ${may("merge") && !story.asOf && html`<div class="deeds">
        <button type="button" onClick=${() => onSay("merge")}>${t.merge}</button>
        ${customer.identifiers.length > 1 && html`<button type="button" onClick=${() => onSay("separate")}>${t.separate}</button>`}
      </div>`}
    </details>`}
  </section>`;
}

function Evidence({ step, shown }) {
  const t = texts.value.story;
  const named = (text) => {
    const colon = text.indexOf(":");
    return `${typeName(text.slice(0, colon))} ${shown(text.slice(0, colon), text.slice(colon + 1))}`;
  };
  return html`<li><span>${named(step.one)} ↔ ${named(step.other)}</span>
    ${" "}<span class="chip">${t.trust[step.trust] ?? step.trust}</span>
    ${step.refusal && html` <span class="chip bad">${t.refusal[step.refusal] ?? step.refusal}</span>`}
    <span class="second">${t.evidenceAt(step.source || t.operator, moment(step.seen_at))}</span></li>`;
}

export function EffortNow({ story }) {
  const t = texts.value.story;
  const { customer, hardest } = story;
  if (!customer.journeys.length) return html`<section><h2>${t.effort}</h2><p class="faint">${t.noEffort}</p></section>`;
  const parts = hardest?.effort_parts ?? [];
  const most = Math.max(...parts.map((one) => one.points), 1);
  return html`<section><h2>${t.effort}</h2>
    <p class="effort-now"><b>${Math.round(customer.effort)}</b> / 100 <span class="faint">${t.ofHardest}</span></p>
    ${parts.length > 0 && html`<ul class="factors" aria-label=${t.parts}>${parts.map((one) => html`<li key=${one.factor}>
      <span>${word("weight", one.factor)} <span class="faint">${one.factor === "wait" || one.factor === "hold" ? t.minutesOf(one.count) : t.times(one.count)}</span></span>
      <span class="measure" aria-hidden="true"><span style=${{ width: `${(100 * one.points) / most}%` }}></span></span>
      <b>${t.points(one.points)}</b></li>`)}</ul>`}
  </section>`;
}

export function Difficulties({ story, pins, onChoose }) {
  const t = texts.value.story;
  const retracted = story.frictions.filter((one) => one.state === "retracted");
  if (!pins.length && !retracted.length) return null;
  return html`<section><h2>${t.standing(pins.length)}</h2>
    <ol class="pins">${pins.map((pin) => html`<li key=${pin.friction.id}><b class="pin" data-severity=${pin.friction.severity}>${pin.number}</b>
      ${pin.at === null ? html`<span>${told(pin.friction.title)}</span>`
        : html`<button type="button" class="plain-button" onClick=${() => onChoose(pin.at)}>${told(pin.friction.title)}</button>`}
      <time class="second" datetime=${pin.friction.occurred_at}>${clock(pin.friction.occurred_at)}</time></li>`)}</ol>
    ${retracted.length > 0 && html`<details><summary>${t.retracted}</summary><ul class="plain">${retracted.map((one) => html`<li key=${one.id}>
      ${told(one.title)} <time class="second" datetime=${one.retracted_at}>${moment(one.retracted_at)}</time></li>`)}</ul></details>`}
  </section>`;
}

export function Issues({ story }) {
  const t = texts.value;
  if (story.issues === null) return html`<section><h2>${t.story.issues}</h2><p class="problem">${t.refusals[503]}</p></section>`;
  const shown = story.issues.filter(({ issue }) => !story.asOf || Date.parse(issue.opened_at) <= Date.parse(story.asOf));
  return html`<section><h2>${t.story.issues}</h2>
    ${shown.length ? html`<ul class="plain issues">${shown.map(({ issue, told: how }) => html`<li key=${issue.id} data-state=${issue.state}>
      <a href=${href(`/issues/${issue.id}`)} data-inside>${told(issue.title)}</a>
      ${" "}<span class="severity" data-severity=${issue.severity}>${word("severity", issue.severity)}</span>
      <span class="second">${[word("state", issue.state), issue.resolution && word("outcome", issue.resolution), issue.owner ?? issue.acknowledged_by, clock(issue.opened_at)].filter(Boolean).join(" · ")}</span>
      ${how?.summary?.[0] && html`<span class="second told"><b>${t.story.told}</b> ${told(how.summary[0])}</span>`}
    </li>`)}</ul>` : html`<p class="faint">${t.story.noIssues}</p>`}
  </section>`;
}
