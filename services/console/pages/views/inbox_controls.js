// Above the list: which part of the issues it shows. All of it stands in the address.
import { useRef } from "preact/hooks";
import { html } from "../html.js";
import { readings } from "../identifiers.js";
import { LEVELS, NO_FILTERS, SEVERITIES, VIEWS, isFiltered, rows, wanted } from "../inbox_list.js";
import { explain, say } from "../notices.js";
import { go, withQuery } from "../router.js";
import { call } from "../session.js";
import { texts, word } from "../words.js";

const CHANNELS = ["phone", "ivr", "chat", "messenger", "email", "sms", "web", "app", "store", "kiosk", "social", "field", "device", "mail", "api"];

const change = (changes) => go(withQuery(changes), { replace: true });

export function Controls() {
  const t = texts.value.inbox;
  const { view, severities, channel, reason, service_level: level, team, rule, customer, outbreak } = wanted.value;
  const reasons = [...new Set([...Object.keys(texts.value.reason).filter((one) => one !== "return"), ...rows.value.map((one) => one.reason)].filter(Boolean))];
  const teams = [...new Set([team, ...rows.value.flatMap((one) => [one.team, ...(one.teams ?? []).map((share) => share.name)])].filter(Boolean))].sort();
  const narrowed = [rule && [word("rule", rule), "rule"], customer && [t.ofCustomer, "customer"], outbreak && [t.ofOutbreak, "outbreak"]].filter(Boolean);
  return html`<div class="controls">
    <div class="views" role="group" aria-label=${t.views}>
      ${VIEWS.map((one) => html`<button key=${one} type="button" aria-pressed=${one === view}
        onClick=${() => change({ view: one === "all" ? "" : one })}>${t.view[one]}</button>`)}
    </div>
    <${Search} />
    <div class="filters" role="group" aria-label=${t.filters}>
      <${Choice} name="severity" any=${t.anySeverity} value=${severities[0] ?? ""} codes=${SEVERITIES} vocabulary="severity" />
      <${Choice} name="channel" any=${t.anyChannel} value=${channel} codes=${CHANNELS} vocabulary="channel" />
      <${Choice} name="reason" any=${t.anyReason} value=${reason} codes=${reasons} vocabulary="reason" />
      <${Choice} name="service_level" any=${t.anyLevel} value=${level} codes=${LEVELS} vocabulary="level" />
      ${teams.length > 0 && html`<${Choice} name="team" any=${t.anyTeam} value=${team} codes=${teams} />`}
      ${narrowed.map(([text, name]) => html`<button key=${name} type="button" class="narrowed" aria-label=${t.without(text)} onClick=${() => change({ [name]: "" })}>${text} ×</button>`)}
      ${isFiltered.value && html`<button type="button" class="quiet" onClick=${() => change(NO_FILTERS)}>${t.clear}</button>`}
    </div>
  </div>`;
}

function Choice({ name, any, value, codes, vocabulary }) {
  const shown = value && !codes.includes(value) ? [value, ...codes] : codes;
  return html`<select aria-label=${any} data-name=${name} value=${value} onChange=${(event) => change({ [name]: event.target.value })}>
    <option value="">${any}</option>
    ${shown.map((one) => html`<option key=${one} value=${one}>${vocabulary ? word(vocabulary, one) : one}</option>`)}
  </select>`;
}

// Words search the issues. A telephone number or an address leads to the issues of whoever has it.
function Search() {
  const t = texts.value.inbox;
  const field = useRef(null);
  const search = async (event) => {
    event.preventDefault();
    const typed = field.current.value.trim();
    const [reading] = readings(typed);
    if (reading?.startsWith("email:") || reading?.startsWith("phone:")) {
      try {
        const { customer_id: customer } = await call("GET", `api/journey/v1/customers/${encodeURIComponent(reading)}`);
        field.current.value = "";
        change({ customer, q: "" });
      } catch (refusal) {
        say(refusal.status === 404 ? texts.value.story.unknown : explain(refusal));
      }
    } else change({ q: typed });
  };
  return html`<form class="search" role="search" onSubmit=${search}>
    <input id="search" key=${wanted.value.q} ref=${field} type="search" aria-label=${t.search} placeholder=${t.search} defaultValue=${wanted.value.q} maxlength="200" autocomplete="off"
      onKeyDown=${(event) => { if (event.key === "Escape") event.target.blur(); }} />
  </form>`;
}
