// What people are told in passing: a line at the bottom, perhaps with an undo, and a polite region for those who listen.
import { signal } from "@preact/signals";
import { html } from "./html.js";
import { texts } from "./words.js";

export const UNDO_MS = 10_000;
export const notice = signal(null); // { text, undo, ends }
export const announced = signal("");
let timer = 0;

export function say(text, { undo = null, lasts = undo ? UNDO_MS : 5000 } = {}) {
  clearTimeout(timer);
  notice.value = { text, undo };
  announced.value = text;
  timer = setTimeout(() => { notice.value = null; }, lasts);
}

export function hush() {
  clearTimeout(timer);
  notice.value = null;
}

export function explain(refusal) {
  const t = texts.value;
  return t.refusals[refusal.code] ?? t.refusals[refusal.status] ?? refusal.message ?? t.refusals.other;
}

export function Notices() {
  const shown = notice.value;
  return html`
    <div class="announced" role="status" aria-live="polite">${announced.value}</div>
    ${shown && html`<div class="notice" role="region" aria-label=${texts.value.noticed}>
      <span>${shown.text}</span>
      ${shown.undo && html`<button type="button" onClick=${() => { shown.undo(); }}>${texts.value.undo} <kbd>u</kbd></button>`}
    </div>`}`;
}
