// Measures before and after: figures with their intervals, the difference, and what it says.
import { html } from "../html.js";
import { language, texts } from "../words.js";

export function Changes({ changes, elsewhere = [], currency = "", of = "" }) {
  const t = texts.value.impact;
  const same = new Map(elsewhere.map((one) => [one.name, one]));
  const columns = ["measure", "before", "after", "change", ...(elsewhere.length ? ["elsewhere"] : [])];
  return html`<div class="table-box" tabindex="0" role="region" aria-label=${of ? `${t.changes}, ${of}` : t.changes}><table class="changes">
    <thead><tr>${columns.map((name) => html`<th key=${name} scope="col" class=${name === "measure" ? "" : "number"}>${t.column[name]}</th>`)}</tr></thead>
    <tbody>${changes.map((one) => html`<tr key=${one.name} data-verdict=${one.verdict}><th scope="row">${t.measure[one.name]}<span class="second"><span class="verdict">${t.verdict[one.verdict]}</span></span></th>
      <td class="number"><${Figure} name=${one.name} of=${one.before} currency=${currency} /></td><td class="number"><${Figure} name=${one.name} of=${one.after} currency=${currency} /></td>
      <td class="number"><${Difference} one=${one} currency=${currency} /></td>
      ${elsewhere.length > 0 && html`<td class="number">${same.get(one.name) && html`<${Difference} one=${same.get(one.name)} currency=${currency} />`}</td>`}</tr>`)}</tbody></table></div>`;
}

// A figure as its measure is told: a share, a sum of money, a score, a count.
function figure(name, value, currency) {
  if (name === "recontact_rate") return value.toLocaleString(language.value, { style: "percent", maximumFractionDigits: 1 });
  if (name === "value_at_stake_per_day" && currency) return value.toLocaleString(language.value, { style: "currency", currency, maximumFractionDigits: 0 });
  return value.toLocaleString(language.value, { maximumFractionDigits: 1 });
}

function Figure({ name, of, currency }) {
  const t = texts.value.impact;
  if (of.value === undefined) return html`<span class="faint">–</span>`;
  return html`<b>${figure(name, of.value, currency)}</b>${of.low !== undefined && html`<span class="second faint">${t.between(figure(name, of.low, currency), figure(name, of.high, currency))}</span>`}
    <span class="second faint">${name.endsWith("_per_day") ? texts.value.days(of.number) : t.cases(of.number)}</span>`;
}

function Difference({ one, currency }) {
  const t = texts.value.impact;
  if (one.change === undefined) return html`<span class="faint">–</span>`;
  const signed = (value) => `${value > 0 ? "+" : value < 0 ? "−" : "±"}${figure(one.name, Math.abs(value), currency)}`;
  return html`<b>${signed(one.change)}</b>${one.low !== undefined && html`<span class="second faint">${t.between(signed(one.low), signed(one.high))}</span><${Whisker} ...${one} />`}`;
}

const WIDE = 120;

// The interval about zero: what lies left of it is less, which is better.
function Whisker({ change, low, high }) {
  const most = Math.max(Math.abs(low), Math.abs(high)) || 1;
  const at = (value) => WIDE / 2 + (value / most) * (WIDE / 2 - 6);
  return html`<svg class="whisker" viewBox=${`0 0 ${WIDE} 14`} width=${WIDE} height="14" aria-hidden="true"><path class="zero" d=${`M${WIDE / 2} 0V14`} /><path class="span" d=${`M${at(low)} 7H${at(high)}M${at(low)} 3V11M${at(high)} 3V11`} /><circle cx=${at(change)} cy="7" r="3.5" /></svg>`;
}
