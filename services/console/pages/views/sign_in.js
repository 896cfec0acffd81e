// The door: the company's provider signs people in, or a key is exchanged once for a session.
import { useEffect, useState } from "preact/hooks";
import { html } from "../html.js";
import { explain } from "../notices.js";
import { findProvider, signIn } from "../session.js";
import { href, place } from "../router.js";
import { language, speak, texts } from "../words.js";

export function SignIn() {
  const refused = place.value.query.get("refused");
  const [failed, setProblem] = useState(null); // until somebody tries again, what the way back from the provider ended in
  const [provider, setProvider] = useState(null);
  useEffect(() => { findProvider().then(setProvider); }, []);
  const [busy, setBusy] = useState(false);
  const t = texts.value;
  const problem = failed ?? (refused ? t.refusals[refused] ?? t.refusals.other : "");
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
      ${provider !== null && html`<a class="button primary provider" href=${wayTo()}>${t.enterBy(provider)}</a>
        <p class="or">${t.orKey}</p>`}
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

// The way to the provider, and back to the page that somebody came for.
function wayTo() {
  const query = new URLSearchParams(place.value.query);
  query.delete("refused");
  const to = place.value.path + (query.size ? `?${query}` : "");
  return `${href("/session/provider")}?${new URLSearchParams({ to, lang: language.value })}`;
}
