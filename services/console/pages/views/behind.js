// The customers behind a number: the latest ones, masked by their opaque ids, each with a way to its story.
import { html } from "../html.js";
import { useReading } from "../reading.js";
import { href } from "../router.js";
import { moment } from "../times.js";
import { texts } from "../words.js";
import { Dialog } from "./dialog.js";

// `path` is the question to the journey API.
export function Behind({ title, path, onClose }) {
  const t = texts.value.behind;
  const { found, problem } = useReading(path, { once: true });
  return html`<${Dialog} title=${t.title} about=${title} onClose=${onClose}>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    ${!found && !problem && html`<p class="faint" role="status">${texts.value.loading}</p>`}
    ${found && !found.customers.length && html`<p class="faint">${t.none}</p>`}
    ${found && html`<ul class="examples behind">${found.customers.map((one) => html`<li key=${one.customer_id}>
      <a href=${href(`/customers/${one.customer_id}`)} data-inside>${texts.value.inbox.customer(one.customer_id.slice(-6))}</a>
      <time datetime=${one.at}>${moment(one.at)}</time>${one.friction && html` <span class="chip">${t.friction}</span>`}</li>`)}</ul>
      ${found.more && html`<p class="faint">${t.more(found.customers.length)}</p>`}`}
    <div class="buttons"><button type="button" onClick=${onClose}>${texts.value.close}</button></div>
  <//>`;
}
