// A window over the page that asks something; Escape closes it.
import { useLayoutEffect, useRef } from "preact/hooks";
import { html } from "../html.js";
import { texts } from "../words.js";

export function Dialog({ title, about, onClose, children }) {
  const box = useRef(null);
  useLayoutEffect(() => { box.current.showModal(); }, []); // before the next key, which may be meant for it
  return html`<dialog ref=${box} class="dialog" aria-labelledby="dialog-title" onClose=${onClose}>
    <h2 id="dialog-title">${title}</h2>
    ${about && html`<p class="about">${about}</p>`}
    ${children}
  </dialog>`;
}

export const Buttons = ({ text, onClose, disabled = false }) => html`<div class="buttons">
  <button type="button" class="quiet" onClick=${onClose}>${texts.value.cancel}</button>
  <button type="submit" class="primary" disabled=${disabled}>${text}</button>
</div>`;
