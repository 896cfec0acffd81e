// What is asked before an issue is resolved, snoozed, or written on.
import { resolve, snooze, writeNote } from "../deeds.js";
import { html } from "../html.js";
import { tomorrowMorning } from "../times.js";
import { texts, told, word } from "../words.js";
import { Buttons, Dialog } from "./dialog.js";

const OUTCOMES = ["fixed", "called_back", "compensated", "false_alarm"];

const aboutOf = (issues) => (issues.length === 1 ? told(issues[0].title) : texts.value.inbox.chosen(issues.length));

export function ResolveDialog({ issue, issues = [issue], onClose, onDone }) {
  const t = texts.value.issue;
  const send = (event) => {
    event.preventDefault();
    const { outcome, note } = event.target.elements;
    resolve(issues, outcome.value, note.value.trim());
    onDone();
  };
  return html`<${Dialog} title=${t.resolveTitle} about=${aboutOf(issues)} onClose=${onClose}>
    <form onSubmit=${send}>
      <fieldset><legend>${t.outcome}</legend>
        ${OUTCOMES.map((one, index) => html`<label key=${one} class="choice"><input type="radio" name="outcome" value=${one}
          defaultChecked=${index === 0} autofocus=${index === 0} />${word("outcome", one)}</label>`)}
      </fieldset>
      <label for="note">${t.noteText}</label>
      <textarea id="note" name="note" rows="3" maxlength="4000"></textarea>
      <${Buttons} text=${t.resolve} onClose=${onClose} />
    </form>
  <//>`;
}

export function SnoozeDialog({ issue, issues = [issue], onClose, onDone }) {
  const t = texts.value.issue;
  const quiet = (body) => () => { snooze(issues, body); onDone(); };
  return html`<${Dialog} title=${t.snoozeTitle} about=${aboutOf(issues)} onClose=${onClose}>
    <div class="stack">
      <button type="button" autofocus onClick=${quiet({ for_s: 900 })}>${t.quarter}</button>
      <button type="button" onClick=${quiet({ for_s: 3600 })}>${t.hour}</button>
      <button type="button" onClick=${() => quiet({ until: tomorrowMorning() })()}>${t.morning}</button>
      <button type="button" class="quiet" onClick=${onClose}>${texts.value.cancel}</button>
    </div>
  <//>`;
}

export function NoteDialog({ issue, onClose, onDone }) {
  const t = texts.value.issue;
  const send = async (event) => {
    event.preventDefault();
    const text = event.target.elements.note.value.trim();
    if (text && (await writeNote(issue, text))) onDone();
  };
  return html`<${Dialog} title=${t.noteTitle} about=${told(issue.title)} onClose=${onClose}>
    <form onSubmit=${send}>
      <label for="note">${t.noteText}</label>
      <textarea id="note" name="note" rows="4" maxlength="4000" required autofocus></textarea>
      <${Buttons} text=${t.send} onClose=${onClose} />
    </form>
  <//>`;
}
