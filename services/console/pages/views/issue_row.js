// One line of the inbox: how urgent, what happened last, to whom, since when, until when, and who has it.
import { html } from "../html.js";
import { delivered } from "../inbox_list.js";
import { age, clock, now, span } from "../times.js";
import { session } from "../session.js";
import { texts, told, word } from "../words.js";

export const shortName = (id) => id.slice(-6);

export function lastWords(issue) {
  const before = (issue.story ?? []).filter((step) => !step.since);
  return told(before[before.length - 1]?.said) || [word("channel", issue.channel), word("reason", issue.reason)].filter(Boolean).join(" · ");
}

export function sinceThen(issue) {
  const after = (issue.story ?? []).filter((step) => step.since);
  return told(after[after.length - 1]?.said);
}

// The next deadline of an issue: to be taken, then to be resolved. Null once neither counts.
export function deadline(issue) {
  if (issue.state === "resolved" || !issue.priority) return null;
  const kind = issue.state === "open" ? "respond" : "solve";
  const until = issue.state === "open" ? issue.priority.respond_by : issue.priority.resolve_by;
  if (!until) return null;
  const left = Date.parse(until) - now.value;
  return { kind, late: left < 0, soon: left < 30 * 60_000, text: left < 0 ? texts.value.inbox.late(span(-left)) : texts.value.inbox.left(span(left)), until };
}

export function holder(issue) {
  const t = texts.value.inbox;
  const owner = issue.owner && issue.owner === session.value?.label ? t.you : issue.owner;
  return owner || issue.acknowledged_by || "";
}

// What became of its notifications: the worst first. Nothing is said where nothing is known.
function deliveryOf(issue) {
  const t = texts.value.inbox;
  const counts = delivered.value.get(issue.id);
  if (!counts) return null;
  if (counts.exhausted) return { state: "exhausted", text: t.notReached(counts.exhausted) };
  if (counts.pending) return { state: "pending", text: t.onTheWay };
  return counts.delivered ? { state: "delivered", text: t.reached(counts.delivered) } : null;
}

export function IssueRow({ issue, at, top, isActive, isShown, isChosen, onChoose, onOpen, onFocus }) {
  const t = texts.value;
  const due = deadline(issue);
  const reach = deliveryOf(issue);
  const after = sinceThen(issue);
  const snoozed = issue.snoozed_until && Date.parse(issue.snoozed_until) > now.value && issue.state !== "resolved";
  return html`<div class="row" role="row" id=${`row-${issue.id}`} data-id=${issue.id} data-severity=${issue.severity} data-gone=${Boolean(issue.gone)} data-chosen=${isChosen}
      aria-rowindex=${at + 2} aria-selected=${isShown} tabindex=${isActive ? 0 : -1} style=${{ transform: `translateY(${top}px)` }}
      onClick=${() => onOpen(issue.id)} onFocus=${onFocus} onKeyDown=${(event) => { if (event.key === "Enter") onOpen(issue.id); }}>
    <span role="gridcell" class="to-priority">${onChoose && html`<input type="checkbox" class="pick" tabindex="-1" checked=${isChosen} aria-label=${t.inbox.choose}
        onClick=${(event) => { event.stopPropagation(); onChoose(issue.id, event.shiftKey); }} />`}<b class="score">${issue.priority?.score ?? "–"}</b>
      <span class="severity">${word("severity", issue.severity)}</span></span>
    <span role="gridcell" class="to-matter">
      <span class="title">${told(issue.title)}</span>
      <span class="words"><span class="last">${lastWords(issue)}</span>
        ${after && html`<span class="chip since"><b>${t.inbox.since}</b> ${after}</span>`}</span>
    </span>
    <span role="gridcell" class="to-customer">
      <span>${issue.outbreak ? t.inbox.customers(issue.outbreak.customers) : t.inbox.customer(shortName(issue.customer_id ?? ""))}</span>
      <span class="second">${[word("level", issue.service_level), issue.count > 1 ? t.inbox.frictions(issue.count) : ""].filter(Boolean).join(" · ")}</span>
    </span>
    <span role="gridcell" class="to-age"><time datetime=${issue.opened_at} title=${clock(issue.opened_at)}>${age(issue.opened_at)}</time>
      ${reach && html`<span class="second reach" data-state=${reach.state}>${reach.text}</span>`}</span>
    <span role="gridcell" class="to-deadline">${due && html`<time datetime=${due.until} title=${clock(due.until)} class="due" data-late=${due.late} data-soon=${due.soon}>
      <span class="second">${t.inbox[due.kind]}</span> ${due.text}</time>`}</span>
    <span role="gridcell" class="to-owner">
      <span class="name">${issue.gone && issue.state === "resolved" ? (issue.resolved_by ? t.inbox.goneBy(issue.resolved_by === "waymark" ? t.issue.us : issue.resolved_by) : t.inbox.gone) : holder(issue) || t.inbox.nobody}</span>
      <span class="second">${snoozed ? t.inbox.snoozed(clock(issue.snoozed_until)) : (issue.teams ?? []).map((one) => one.name).join(", ") || issue.team || ""}</span>
    </span>
  </div>`;
}
