// What an operator says of identities: two customers are one, or one is two. What would happen is shown before it does.
import { useState } from "preact/hooks";
import { html } from "../html.js";
import { readings, typeName } from "../identifiers.js";
import { explain, say } from "../notices.js";
import { call } from "../session.js";
import { texts } from "../words.js";
import { Buttons, Dialog } from "./dialog.js";

const named = (one) => `${one.type}:${one.value}`;

function Choice({ name, label, identifiers, chosen }) {
  return html`<label for=${name}>${label}</label>
    <select id=${name} name=${name}>${identifiers.map((one, at) => html`<option key=${named(one)} value=${named(one)} selected=${at === chosen}>${typeName(one.type)} ${one.value}</option>`)}</select>`;
}

async function speak(word, body, onDone) {
  const said = await call("POST", `api/journey/v1/identity/${word}`, body);
  say(said.done ? texts.value.story.wordDone(said.touchpoints_moved) : texts.value.story.wordNotDone);
  onDone();
}

function useSaying(work) {
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const tried = async (event) => {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    try {
      await work(event.target.elements);
    } catch (refusal) {
      setProblem(refusal.code === "customer_unknown" ? texts.value.story.unknown : explain(refusal));
      setBusy(false);
    }
  };
  return { problem, busy, tried };
}

export function SeparateDialog({ story, onClose, onDone }) {
  const t = texts.value.story;
  const { identifiers } = story.customer;
  const { problem, busy, tried } = useSaying(async ({ one, other, note }) => {
    await speak("separate", { one: one.value, other: other.value, note: note.value.trim() }, onDone);
  });
  return html`<${Dialog} title=${t.separateTitle} about=${t.separateHint} onClose=${onClose}>
    <form class="stack" onSubmit=${tried}>
      <${Choice} name="one" label=${t.one} identifiers=${identifiers} chosen=${0} />
      <${Choice} name="other" label=${t.other} identifiers=${identifiers} chosen=${1} />
      <${Note} />
      <p class="problem" role="alert">${problem}</p>
      <${Buttons} text=${t.apply} onClose=${onClose} disabled=${busy} />
    </form>
  <//>`;
}

export function MergeDialog({ story, onClose, onDone }) {
  const t = texts.value.story;
  const [plan, setPlan] = useState(null);
  const { problem, busy, tried } = useSaying(async ({ one, other, note }) => {
    const [reading] = readings(other.value);
    await speak("merge", { one: one.value, other: reading, note: note.value.trim() }, onDone);
  });
  const preview = async (event) => {
    const { one, other } = event.target.form.elements;
    const [reading] = readings(other.value);
    if (!reading?.includes(":")) return;
    const customer = Object.fromEntries([one.value, reading].map((text) => [text.slice(0, text.indexOf(":")), { value: text.slice(text.indexOf(":") + 1), verified: true }]));
    setPlan(await call("POST", "api/journey/v1/identity/simulate", { touchpoints: [{ customer }] }).catch(() => null));
  };
  return html`<${Dialog} title=${t.mergeTitle} about=${t.mergeHint} onClose=${onClose}>
    <form class="stack" onSubmit=${tried}>
      <${Choice} name="one" label=${t.one} identifiers=${story.customer.identifiers} chosen=${0} />
      <label for="other">${t.other}</label>
      <input id="other" name="other" type="text" required autocomplete="off" spellcheck=${false} placeholder=${t.findHint} />
      <${Note} />
      <button type="button" class="quiet" onClick=${preview}>${t.preview}</button>
      ${plan && html`<p role="status">${t.wouldDo(plan.merged, plan.split, plan.touchpoints_moved)}</p>`}
      <p class="problem" role="alert">${problem}</p>
      <${Buttons} text=${t.apply} onClose=${onClose} disabled=${busy} />
    </form>
  <//>`;
}

const Note = () => html`<label for="note">${texts.value.story.noteWhy}</label>
  <textarea id="note" name="note" rows="2" maxlength="2000" required></textarea>`;
