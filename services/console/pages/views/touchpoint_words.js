// What one touchpoint says, in words: what it was, how it went, what was said.
import { kinds } from "../catalogue.js";
import { html } from "../html.js";
import { moment } from "../times.js";
import { language, texts, word } from "../words.js";

export const kindName = (kind) => kinds[kind]?.[language.value] ?? kind.replaceAll("_", " ");
export const lasting = (seconds) => texts.value.lasting(Math.floor(seconds / 60), Math.round(seconds % 60));
export const refName = ([name, value]) => `${word("ref", name)} ${value}`;

export function factsOf(one) {
  const t = texts.value.story;
  return [
    one.direction === "outbound" && t.byUs,
    one.reason && word("reason", one.reason),
    one.outcome && word("said", one.outcome),
    one.wait_s > 0 && t.wait(lasting(one.wait_s)),
    one.hold_s > 0 && t.hold(lasting(one.hold_s)),
    one.duration_s > 0 && t.talk(lasting(one.duration_s)),
    one.transfers > 0 && t.transfers(one.transfers),
    one.queue && t.queue(one.queue),
    one.due_at && t.due(moment(one.due_at)),
    one.late && t.late,
    one.replay && t.replay,
  ].filter(Boolean);
}

export function TouchpointWords({ touchpoint, withRefs = false }) {
  const facts = [...factsOf(touchpoint), ...(withRefs ? Object.entries(touchpoint.refs).map(refName) : [])];
  return html`<span class="what"><b>${kindName(touchpoint.kind)}</b>${" "}
    <span class="facts-line">${facts.join(" · ")}</span>
    ${touchpoint.text && html`<q>${touchpoint.text}</q>`}
    ${touchpoint.sealed_text && html`<span class="chip">${texts.value.story.sealed}</span>`}</span>`;
}

export function FrictionWords({ pin, children }) {
  const { friction, number } = pin;
  return html`<b class="pin" data-severity=${friction.severity}>${number}</b>
    <span><b>${friction.title[language.value]}</b>
      ${" "}<span class="severity" data-severity=${friction.severity}>${word("severity", friction.severity)}</span>
      ${" "}${friction.explanation[language.value]}${children}</span>`;
}
