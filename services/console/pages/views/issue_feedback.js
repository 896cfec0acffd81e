// Whether it was of use to be told of an issue: two buttons, and what was said last.
import { useEffect, useState } from "preact/hooks";
import { html } from "../html.js";
import { explain, say } from "../notices.js";
import { call, may } from "../session.js";
import { texts } from "../words.js";

export function IssueFeedback({ id, version }) {
  const t = texts.value.issue;
  const path = `api/alerts/v1/issues/${encodeURIComponent(id)}/feedback`;
  const [found, setFound] = useState(null);
  useEffect(() => {
    const control = new AbortController();
    call("GET", path, undefined, { signal: control.signal }).then(setFound, () => {});
    return () => control.abort();
  }, [path, version]);
  const tell = (feedback) => call("POST", path, { feedback }).then(setFound, (refusal) => say(explain(refusal)));
  if (!found || (!may("act") && !found.feedback)) return null;
  return html`<section><h2 id="of-use">${t.ofUse}</h2>
    <div class="views" role="group" aria-labelledby="of-use">${["useful", "noise"].map((one) => html`<button key=${one} type="button"
      disabled=${!may("act")} aria-pressed=${found.feedback === one} onClick=${() => tell(one)}>${t[one]}</button>`)}</div>
    ${found.implied ? html`<p class="faint">${t.implied}</p>` : found.said_by && html`<p class="faint">${found.said_by}</p>`}</section>`;
}
