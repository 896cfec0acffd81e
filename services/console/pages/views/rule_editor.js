// One rule to change: a form for its numbers and durations, its text for the rest, mistakes as somebody types, a trial,
// and then the shadow or force, with a note.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { html } from "../html.js";
import { explain, say } from "../notices.js";
import { useReading } from "../reading.js";
import { go, href, place } from "../router.js";
import { composed, measures, member, mistake, withLine, withMember, written } from "../rule_text.js";
import { call, may } from "../session.js";
import { language, texts, told, word } from "../words.js";
import { NoteDialog } from "./note_dialog.js";
import { Trial } from "./rule_trial.js";

const SEVERITIES = ["low", "medium", "high", "critical"];
const PAUSE_MS = 250;
const NEW = `id: my_rule
shape: count
severity: low
contacts: true
at_least: 3
within: 7d
same: [reason]
title:
  en: Contacted us three times
  ko: 세 번 문의한 고객
explanation:
  en: "{count} contacts in {span}."
  ko: "{span} 사이에 {count}번 문의했습니다."
`;

export function RuleEditor() {
  const id = decodeURIComponent(place.value.path.slice("/rules/".length));
  const { found, problem } = useReading("api/journey/v1/rules/file", { once: true });
  const t = texts.value.rules;
  useEffect(() => { document.title = `${t.title} · Waymark`; });
  const rule = found?.rules.find((one) => one.id === id);
  const unknown = found && !rule && id !== "new";
  return html`<main id="main" tabindex="-1" class="page overview">
    <p><a href=${href("/rules")} data-inside>${t.back}</a></p>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    ${unknown && html`<p class="problem" role="alert">${t.unknown}</p>`}
    ${found && !unknown && html`<${Desk} key=${id} id=${id} rule=${rule} file=${found} />`}
  </main>`;
}

function Desk({ id, rule, file }) {
  const t = texts.value.rules;
  const before = useMemo(() => (rule ? written(rule) : NEW), [rule]);
  const [text, setText] = useState(before);
  const [doing, setDoing] = useState(null);
  const own = rule ? id : member(text, "id") ?? "";
  const whole = useMemo(() => composed(file.rules, id, text), [file, text]);
  const check = useCheck(whole);
  const isChanged = text !== before;
  const isSound = check?.sound === true && check.of === whole.text;
  return html`<header class="rule-head"><h1>${rule ? told(rule.title) : t.add}</h1><code>${own}</code>
      ${rule && html`<label class="switch"><input type="checkbox" checked=${member(text, "enabled") !== "false"} onChange=${(event) => setText(withMember(text, "enabled", event.target.checked))} /> ${t.isOn}</label>`}</header>
    <div class="rule-desk">
      <section class="sheet" aria-labelledby="limits-title"><h2 id="limits-title">${t.limits}</h2><${Limits} text=${text} onChange=${setText} /></section>
      <${Text} text=${text} before=${whole.before} check=${check} isBehind=${check?.of !== whole.text} onChange=${setText} />
    </div>
    ${may("rule") && html`<${Trial} id=${own} text=${whole.text} isSound=${isSound} />`}
    ${may("rule") ? html`<div class="buttons rule-buttons">
      ${isChanged && html`<button type="button" class="quiet" onClick=${() => setText(before)}>${t.discard}</button>`}
      <button type="button" disabled=${!isSound || !isChanged} onClick=${() => setDoing("shadow")}>${t.toShadow}</button>
      <button type="button" class="primary" disabled=${!isSound || !isChanged} onClick=${() => setDoing("apply")}>${t.apply}</button></div>`
      : html`<p class="faint">${t.onlyLook}</p>`}
    ${doing && html`<${NoteDialog} title=${doing === "apply" ? t.applyTitle : t.shadowTitle} about=${doing === "apply" ? t.applyAbout : t.shadowAbout} button=${doing === "apply" ? t.apply : t.toShadow}
      onClose=${() => setDoing(null)} work=${async (note) => {
        await call("POST", `api/journey/v1/rules/${doing}`, { text: whole.text, note });
        say(doing === "apply" ? t.applied : t.inShadow);
        go("/rules");
      }} />`}`;
}

// What the API says of the file, a moment after somebody stopped typing; null while nothing is known of it.
function useCheck(whole) {
  const [check, setCheck] = useState(null);
  useEffect(() => {
    const control = new AbortController();
    const timer = setTimeout(() => {
      call("POST", "api/journey/v1/rules/check", { text: whole.text }, { signal: control.signal })
        .then((found) => setCheck({ ...found, of: whole.text }), (refusal) => { if (refusal.name !== "AbortError") setCheck({ sound: false, problems: [explain(refusal)], of: whole.text }); });
    }, PAUSE_MS);
    return () => { clearTimeout(timer); control.abort(); };
  }, [whole.text]);
  return check;
}

function Limits({ text, onChange }) {
  const t = texts.value.rules;
  const found = measures(text);
  const severity = member(text, "severity");
  return html`<div class="limits">
    <label>${t.column.severity}<select value=${severity} onChange=${(event) => onChange(withMember(text, "severity", event.target.value))}>
      ${SEVERITIES.map((one) => html`<option key=${one} value=${one} selected=${one === severity}>${word("severity", one)}</option>`)}</select></label>
    ${found.map((one) => html`<label key=${one.line}>${labelOf(one)}
      ${one.kind === "number" ? html`<input type="number" step="any" value=${one.value} onInput=${(event) => event.target.value !== "" && onChange(withLine(text, one.line, event.target.value))} />`
        : html`<${Duration} value=${one.value} label=${labelOf(one)} onChange=${(value) => onChange(withLine(text, one.line, value))} />`}</label>`)}
    ${!found.length && html`<p class="faint">${t.noLimits}</p>`}
  </div>`;
}

function labelOf({ name, context }) {
  const t = texts.value.rules;
  const where = context.map(([field, value]) => (field === "channel" ? word("channel", value) : field === "service_level" ? word("level", value) : field === "reason" ? word("reason", value) : language.value === "ko" ? "" : value.replaceAll("_", " "))).filter(Boolean).join(", ");
  const own = t.member[name] ?? texts.value.channel[name] ?? texts.value.level[name] ?? name.replaceAll("_", " ");
  return where ? `${own} (${where})` : own;
}

const UNITS = ["s", "m", "h", "d"];

// A duration of one unit has a number and a unit; others stay as they are written.
function Duration({ value, label, onChange }) {
  const t = texts.value.rules;
  const [, number, unit] = /^(\d+)([smhd])$/.exec(value) ?? [];
  if (number === undefined) return html`<input type="text" value=${value} aria-label=${label} onInput=${(event) => event.target.value.trim() && onChange(event.target.value.trim())} />`;
  return html`<span class="duration"><input type="number" min="0" step="1" value=${number} aria-label=${label} onInput=${(event) => event.target.value !== "" && onChange(`${Math.trunc(event.target.value)}${unit}`)} />
    <select aria-label=${t.unitOf(label)} value=${unit} onChange=${(event) => onChange(`${number}${event.target.value}`)}>${UNITS.map((one) => html`<option key=${one} value=${one} selected=${one === unit}>${t.unit[one]}</option>`)}</select></span>`;
}

function Text({ text, before, check, isBehind, onChange }) {
  const t = texts.value.rules;
  const area = useRef(null);
  const problems = (check?.problems ?? []).map((one) => mistake(one, before));
  const lead = (line) => {
    const start = text.split("\n").slice(0, line - 1).reduce((sum, row) => sum + row.length + 1, 0);
    area.current.focus();
    area.current.setSelectionRange(start, start + (text.split("\n")[line - 1] ?? "").length);
  };
  return html`<section class="sheet" aria-labelledby="text-title"><h2 id="text-title">${t.text}</h2>
    <textarea ref=${area} class="rule-text" lang="en" dir="ltr" rows=${Math.min(30, text.split("\n").length + 1)} spellcheck=${false} autocomplete="off" autocapitalize="off" maxlength="20000" wrap="soft"
      aria-labelledby="text-title" aria-describedby="mistakes" aria-invalid=${problems.length > 0} value=${text} onInput=${(event) => onChange(event.target.value)}></textarea>
    <div id="mistakes" role="status" aria-busy=${isBehind}>${!check ? html`<p class="faint">${t.checking}</p>` : check.sound ? html`<p class="good">${t.sound}</p>`
      : html`<ul class="mistakes">${problems.map(({ line, said }, at) => html`<li key=${at}>${line === null ? "" : html`<button type="button" class="quiet" onClick=${() => lead(line)}>${t.line(line)}</button> `}<span lang=${language.value === "ko" ? undefined : "en"}>${t.mistake(said)}</span></li>`)}</ul>`}</div></section>`;
}
