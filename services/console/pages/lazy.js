// Pages that are loaded when somebody goes there, so that the first one is light.
import { useEffect, useState } from "preact/hooks";
import { html } from "./html.js";
import { texts } from "./words.js";

export function lazy(load, name) {
  let view = null;
  return function Page() {
    const [state, setState] = useState(view ? "there" : "coming");
    const fetchIt = () => {
      setState("coming");
      load().then((found) => { view = found[name]; setState("there"); }, () => setState("failed"));
    };
    useEffect(() => { if (!view) fetchIt(); }, []);
    if (view) return html`<${view} />`;
    return html`<main id="main" tabindex="-1" class="page" aria-busy=${state === "coming"}>
      ${state === "failed" ? html`<p role="alert">${texts.value.unloadable} <button type="button" onClick=${fetchIt}>${texts.value.again}</button></p>`
        : html`<p class="faint">${texts.value.loading}</p>`}
    </main>`;
  };
}
