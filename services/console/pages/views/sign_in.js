// The door: a key is exchanged once for a session.
import { useState } from "preact/hooks";
import { html } from "../html.js";
import { explain } from "../notices.js";
import { signIn } from "../session.js";
import { speak, texts } from "../words.js";

export function SignIn() {
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const t = texts.value;
  const enter = async (event) => {
    event.preventDefault();
    const field = event.target.elements.key;
    setBusy(true);
    try {
      await signIn(field.value.trim());
    } catch (refusal) {
      setProblem(explain(refusal));
      setBusy(false);
      field.focus();
      field.select();
    }
  };
  return html`<main class="door">
    <form onSubmit=${enter}>
      <img src="static/mark.svg" alt="" width="40" height="40" />
      <h1>Waymark</h1>
      <p>${t.door}</p>
      <input type="text" name="username" autocomplete="username" value="waymark" hidden readonly />
      <label for="key">${t.key}</label>
      <input id="key" name="key" type="password" autocomplete="current-password" required autofocus
        spellcheck=${false} aria-describedby="door-problem door-hint" />
      <p id="door-problem" class="problem" role="alert">${problem}</p>
      <button type="submit" class="primary" disabled=${busy}>${t.enter}</button>
      <p id="door-hint" class="hint">${t.doorHint}</p>
      <button type="button" class="quiet" lang=${t.other.lang} onClick=${() => speak(t.other.lang)}>${t.other.name}</button>
    </form>
  </main>`;
}
