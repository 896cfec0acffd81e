// The inbox: the most urgent first, one line a matter, all of it by keyboard.
import { useSignal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { release, takeAll, takeIt, undo } from "../deeds.js";
import { html } from "../html.js";
import { hear, isFiltered, load, loadMore, loading, problem, rows, stream, total, waiting, wanted } from "../inbox_list.js";
import { connection, follow } from "../live.js";
import { notice } from "../notices.js";
import { go, place } from "../router.js";
import { may } from "../session.js";
import { count, texts } from "../words.js";
import { reveal, useWindow } from "../windowed.js";
import { Controls } from "./inbox_controls.js";
import { NoteDialog, ResolveDialog, SnoozeDialog } from "./issue_dialogs.js";
import { IssuePanel } from "./issue_panel.js";
import { IssueRow } from "./issue_row.js";

const ROW = 60;
const MOST = 100; // issues for one deed

export function Inbox() {
  const t = texts.value.inbox;
  const key = JSON.stringify(wanted.value);
  const shown = place.value.path.startsWith("/issues/") ? decodeURIComponent(place.value.path.slice(8)) : null;
  // Signals, so that a key pressed before the last one's effect is drawn starts from that effect.
  const active = useSignal(null);
  const picked = useSignal(new Set());
  const [dialog, setDialog] = useState(null);
  const box = useRef(null);
  const pickNone = () => { picked.value = new Set(); };
  useEffect(() => { pickNone(); load(); }, [key]);
  useEffect(() => follow(stream.value, hear), [stream.value]);
  useEffect(() => { document.title = `${total.value ? `(${count(total.value)}) ` : ""}${t.title} · Waymark`; });

  const list = rows.value;
  const activeId = activeNow(active.value);
  const { first, last } = useWindow(box, ROW, list.length);
  useEffect(() => { if (last > list.length - 40) loadMore(); }, [last, list.length]);

  // What is chosen for a deed on many: what has left the list is chosen no more.
  const chosenNow = () => rows.value.filter((one) => picked.value.has(one.id));
  const chosen = chosenNow();
  const pick = (id, through = false) => {
    const next = new Set(picked.value);
    const from = placeOf(activeNow(active.value));
    const to = placeOf(id);
    if (through && from >= 0) rows.value.slice(Math.min(from, to), Math.max(from, to) + 1).slice(0, MOST).forEach((one) => next.add(one.id));
    else if (!next.delete(id) && next.size < MOST) next.add(id);
    picked.value = next;
    active.value = { id, at: to };
  };
  const focusRow = (at) => {
    const to = Math.max(0, Math.min(rows.value.length - 1, at));
    const row = rows.value[to];
    if (!row) return;
    active.value = { id: row.id, at: to };
    reveal(box.current, to, ROW);
    focusOn(row.id);
    if (shown) go(`/issues/${row.id}${location.search}`, { replace: true });
  };
  const open = (id) => {
    active.value = { id, at: placeOf(id) };
    go(shown === id ? `/${location.search}` : `/issues/${id}${location.search}`);
  };
  const close = () => {
    go(`/${location.search}`);
    focusOn(activeNow(active.value));
  };
  // After a row has gone, the next one has the focus, so that the keyboard goes on.
  const done = () => {
    if (dialog.issues) { pickNone(); setDialog(null); return; }
    if (shown && dialog.name === "resolve") go(`/${location.search}`);
    setDialog(null);
    const at = list.findIndex((one) => one.id === activeId);
    const next = rows.value[Math.min(Math.max(at, 0), rows.value.length - 1)];
    if (!next) return;
    active.value = { id: next.id, at };
    requestAnimationFrame(() => focusOn(next.id));
  };

  const onMany = (name) => setDialog({ name, issues: chosenNow() });
  const takeMany = () => { takeAll(chosenNow()); pickNone(); };
  useEffect(() => {
    const press = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      if (document.querySelector("dialog[open]") || event.target.closest?.("input:not(.pick), select, textarea")) return;
      if (event.key === "Enter" && event.target.closest?.("a, button, .row")) return; // it does what it is for
      const at = placeOf(activeNow(active.value));
      const issue = rows.value[at];
      const ask = (name) => (issue) => setDialog({ name, issue });
      const acting = (work, onMany) => () => {
        if (!may("act")) return;
        if (chosenNow().length) onMany?.();
        else if (issue) work(issue);
      };
      const deeds = {
        x: () => issue && may("act") && pick(issue.id), "/": () => document.getElementById("search")?.focus(),
        j: () => focusRow(active.value ? at + 1 : 0), k: () => focusRow(at - 1), r: () => waiting.value.size && load(),
        a: acting(takeIt, takeMany), e: acting(ask("resolve"), () => onMany("resolve")), s: acting(ask("snooze"), () => onMany("snooze")), n: acting(ask("note")), u: () => (notice.value?.undo ? notice.value.undo() : undo()),
        c: () => issue?.customer_id && go(`/customers/${issue.customer_id}`),
        "?": () => setDialog({ name: "help" }),
        Enter: () => issue && open(issue.id), Escape: () => (shown ? close() : pickNone()),
      };
      const deed = deeds[event.key] ?? deeds[BY_PLACE[event.code]];
      if (!deed) return;
      event.preventDefault();
      deed();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });

  const Asked = dialog && DIALOGS[dialog.name];
  return html`<main id="main" tabindex="-1" class="inbox" data-open=${Boolean(shown)}>
    <section class="list" aria-labelledby="inbox-title">
      <div class="head">
        <h1 id="inbox-title">${t.title}</h1>
        <span class="count">${loading.value && !list.length ? "" : t.shown(list.length, total.value)}</span>
        <span class="light" data-state=${connection.value}>${texts.value.connection[connection.value]}</span>
        <button type="button" class="quiet help" aria-label=${t.help} onClick=${() => setDialog({ name: "help" })}><kbd>?</kbd></button>
      </div>
      <${Controls} />
      ${chosen.length > 0 && html`<div class="bulk" role="group" aria-label=${t.chosen(chosen.length)}>
        <b>${t.chosen(chosen.length)}</b>
        <button type="button" onClick=${takeMany}>${texts.value.issue.take} <kbd>a</kbd></button>
        <button type="button" onClick=${() => onMany("resolve")}>${texts.value.issue.resolve} <kbd>e</kbd></button>
        <button type="button" onClick=${() => onMany("snooze")}>${texts.value.issue.snooze} <kbd>s</kbd></button>
        <button type="button" class="quiet" onClick=${pickNone}>${t.chooseNone}</button>
      </div>`}
      <div class="grid-box">${waiting.value.size > 0 && html`<button type="button" class="fresh" onClick=${() => { load(); box.current.scrollTop = 0; }}>
        ${t.fresh(waiting.value.size)} <kbd>r</kbd></button>`}
      <div class="grid" role="grid" aria-labelledby="inbox-title" aria-rowcount=${total.value + 1} aria-busy=${loading.value}>
        <div class="rows" role="presentation" ref=${box}>
          <div class="columns" role="row" aria-rowindex="1">
            ${["priority", "matter", "customer", "age", "deadline", "owner"].map((name) => html`
              <span key=${name} role="columnheader" class=${`to-${name}`}>${t.column[name]}</span>`)}
          </div>
          <div class="height" role="rowgroup" style=${{ height: `${list.length * ROW}px` }}>
            ${list.slice(first, last).map((issue, index) => html`<${IssueRow} key=${issue.id} issue=${issue} at=${first + index}
              top=${(first + index) * ROW} isActive=${issue.id === activeId} isShown=${issue.id === shown} onOpen=${open}
              isChosen=${picked.value.has(issue.id)} onChoose=${may("act") && wanted.value.view !== "resolved" ? pick : null}
              onFocus=${() => { if (active.value?.id !== issue.id) active.value = { id: issue.id, at: first + index }; }} />`)}
          </div>
        </div>
      </div>
      ${!loading.value && !list.length && !problem.value && html`<p class="empty">${isFiltered.value ? t.emptyFiltered : t.empty}</p>`}
      ${problem.value && html`<p class="empty" role="alert">${texts.value.refusals[problem.value] ?? texts.value.refusals[503]}
        ${" "}<button type="button" onClick=${load}>${t.again}</button></p>`}
      </div>
    </section>
    ${shown && html`<${IssuePanel} key=${shown} id=${shown} newest=${list.find((one) => one.id === shown) ?? null}
      onClose=${close} onDialog=${(name, issue) => setDialog({ name, issue })} onTake=${takeIt} onRelease=${release} />`}
    ${Asked && html`<${Asked} issue=${dialog.issue} issues=${dialog.issues} onClose=${() => setDialog(null)} onDone=${done} />`}
  </main>`;
}

const placeOf = (id) => rows.value.findIndex((one) => one.id === id);

// The row that keys are about: the one that had the focus last, or that which has taken its place.
function activeNow(active) {
  const list = rows.value;
  if (active && placeOf(active.id) >= 0) return active.id;
  return list[Math.min(active?.at ?? 0, list.length - 1)]?.id ?? null;
}

// With a Korean keyboard a key gives a letter of Hangul: what counts is where it is.
const BY_PLACE = { KeyJ: "j", KeyK: "k", KeyA: "a", KeyE: "e", KeyS: "s", KeyN: "n", KeyU: "u", KeyR: "r", KeyC: "c", KeyX: "x" };

// Gives a row the focus: at once if it is drawn, else as soon as it is.
function focusOn(id, tries = 5) {
  const row = document.getElementById(`row-${id}`);
  if (row && row.offsetParent) row.focus({ preventScroll: true });
  else if (tries) requestAnimationFrame(() => focusOn(id, tries - 1));
}

const DIALOGS = { help: HelpDialog, resolve: ResolveDialog, snooze: SnoozeDialog, note: NoteDialog };

function HelpDialog({ onClose }) {
  const t = texts.value.inbox;
  const box = useRef(null);
  useEffect(() => { box.current.showModal(); }, []);
  return html`<dialog ref=${box} class="dialog" aria-labelledby="help-title" onClose=${onClose}>
    <h2 id="help-title">${t.help}</h2>
    <dl class="keys">${t.helpKeys.map(([key, text]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${text}</dd></div>`)}</dl>
    <form method="dialog"><button class="primary">${texts.value.close}</button></form>
  </dialog>`;
}
