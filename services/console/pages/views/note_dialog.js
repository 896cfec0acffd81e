// Asks for a note, does what it is for, and says what went wrong without losing the note.
import { useState } from "preact/hooks";
import { html } from "../html.js";
import { explain } from "../notices.js";
import { texts } from "../words.js";
import { Buttons, Dialog } from "./dialog.js";

// `work` takes the note and may throw a `Refusal`; the dialog closes when it is done.
export function NoteDialog({ title, about, button, work, onClose }) {
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await work(event.target.elements.note.value.trim());
      onClose();
    } catch (refusal) {
      setProblem(explain(refusal));
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${title} about=${about} onClose=${onClose}><form class="stack" onSubmit=${submit}>
    <label for="note">${texts.value.story.noteWhy}</label><textarea id="note" name="note" rows="3" maxlength="2000" required></textarea>
    <p class="problem" role="alert">${problem}</p><${Buttons} text=${button} onClose=${onClose} disabled=${busy} /></form><//>`;
}
