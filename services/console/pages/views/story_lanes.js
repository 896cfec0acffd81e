// The story as lanes: a line for each channel, a dot for each touchpoint, below them what was hard, the journeys and the
// effort. Arrow keys walk through the dots; what is chosen is told in words beneath.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { html } from "../html.js";
import { axis, packed } from "../story_shape.js";
import { clock, moment, span } from "../times.js";
import { language, texts, word } from "../words.js";
import { FrictionWords, TouchpointWords, factsOf, kindName, refName } from "./touchpoint_words.js";

const LANE = 40;
const ROW = 20;
const HEAD = 34;
const EFFORT = 64;
const APART = 3_600_000;

export function StoryLanes({ story, pins, chosen, onChoose }) {
  const t = texts.value;
  const box = useRef(null);
  const { touchpoints } = story;
  const [room, setRoom] = useState(0);
  const drawn = useMemo(() => layout(story, pins, room), [story, pins, room]);
  const last = touchpoints.length - 1;
  const at = Math.min(chosen ?? last, last);
  useLayoutEffect(() => {
    const sized = new ResizeObserver(() => setRoom(box.current?.clientWidth ?? 0));
    sized.observe(box.current);
    return () => sized.disconnect();
  }, []);
  useLayoutEffect(() => { box.current.scrollLeft = box.current.scrollWidth; }, [story.customer.customer_id, touchpoints.length]);
  useEffect(() => {
    const x = drawn.xs[at];
    const { scrollLeft, clientWidth } = box.current;
    if (x < scrollLeft + 30 || x > scrollLeft + clientWidth - 30) box.current.scrollLeft = x - clientWidth / 2;
  }, [at]);
  const press = (event) => {
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    onChoose(Math.max(0, Math.min(last, to)));
  };
  const touchpoint = touchpoints[at];
  const shown = pins.filter((pin) => pin.evidence.includes(at));
  return html`<div class="lanes">
    <div class="lane-names" aria-hidden="true">
      ${drawn.channels.map((channel, row) => html`<span key=${channel} style=${{ top: `${HEAD + row * LANE}px`, height: `${LANE}px` }}>${word("channel", channel)}</span>`)}
      ${[["frictions", drawn.frictionsTop], ["journeys", drawn.journeysTop], ["course", drawn.effortTop]].map(([name, top]) => top !== null && html`
        <span key=${name} style=${{ top: `${top}px`, height: `${ROW}px` }} class="faint">${t.story[name]}</span>`)}
    </div>
    <div class="lane-box" ref=${box}>
      <svg width=${drawn.width} height=${drawn.height} tabindex="0" role="listbox" aria-label=${t.story.lanes}
        aria-activedescendant=${`dot-${at}`} onKeyDown=${press}>
        <g aria-hidden="true">
          ${drawn.channels.map((channel, row) => html`<rect key=${channel} class="lane" data-odd=${row % 2 === 1} x="0" y=${HEAD + row * LANE} width="100%" height=${LANE} />`)}
          ${drawn.ticks.map((tick) => html`<g key=${tick.x}><line class="tick" x1=${tick.x} x2=${tick.x} y1=${HEAD - 8} y2=${drawn.height} /><text class="tick-text" x=${tick.x + 4} y=${HEAD - 14}>${tick.text}</text></g>`)}
          ${drawn.contacts.map((bar) => html`<rect key=${bar.key} class="contact" x=${bar.from} width=${bar.to - bar.from} y=${bar.y - 11} height="22" rx="11" />`)}
          ${drawn.frictions.map((bar) => html`<${Friction} key=${bar.pin.number} bar=${bar} drawn=${drawn} isLit=${bar.pin.evidence.includes(at)} />`)}
          ${drawn.journeys.map((bar) => html`<g key=${bar.journey.id}><title>${bar.text}</title>
            <rect class="journey" data-state=${bar.journey.state} x=${bar.from} width=${bar.to - bar.from} y=${drawn.journeysTop + bar.row * ROW + 3} height="14" rx="3" />
            ${bar.stages.map((stage, place) => html`<rect key=${place} class="stage" data-overdue=${stage.overdue} x=${stage.from} width=${Math.max(2, stage.to - stage.from - 1)} y=${drawn.journeysTop + bar.row * ROW + 3} height="14" />`)}
            ${bar.to - bar.from > 50 && html`<text class="journey-text" x=${bar.from + 6} y=${drawn.journeysTop + bar.row * ROW + 14}>${cut(bar.text, (bar.to - bar.from - 12) / 9)}</text>`}</g>`)}
          ${drawn.effort && html`<path class="effort" d=${drawn.effort} />`}
        </g>
        ${touchpoints.map((one, place) => html`<${Dot} key=${`${one.source} ${one.id}`} one=${one} place=${place} x=${drawn.xs[place]} y=${drawn.ys[place]}
          isChosen=${place === at} severity=${drawn.severities[place]} onChoose=${onChoose} />`)}
      </svg>
    </div>
    ${touchpoint && html`<section class="chosen" aria-label=${t.story.selected}>
      <p><time datetime=${touchpoint.occurred_at}>${moment(touchpoint.occurred_at)}</time> <span class="chip">${word("channel", touchpoint.channel)}</span></p>
      <p><${TouchpointWords} touchpoint=${touchpoint} withRefs /></p>
      ${shown.length > 0 && html`<ul class="pins">${shown.map((pin) => html`<li key=${pin.number}><${FrictionWords} pin=${pin} /></li>`)}</ul>`}
    </section>`}
  </div>`;
}

function Dot({ one, place, x, y, isChosen, severity, onChoose }) {
  const label = [clock(one.occurred_at), word("channel", one.channel), kindName(one.kind), ...factsOf(one), one.text].filter(Boolean).join(", ");
  return html`<g id=${`dot-${place}`} class="dot" role="option" aria-selected=${isChosen} aria-label=${label} data-direction=${one.direction ?? "none"}
      data-severity=${severity} onClick=${() => onChoose(place)}>
    <title>${label}</title>
    <circle class="reach" cx=${x} cy=${y} r="13" />
    ${isChosen && html`<circle class="ring" cx=${x} cy=${y} r="11" />`}
    ${one.direction === "outbound" ? html`<rect class="mark" x=${x - 5} y=${y - 5} width="10" height="10" rx="2" />`
      : html`<circle class="mark" cx=${x} cy=${y} r=${one.direction === "inbound" ? 6 : 4} />`}
    ${one.text && html`<text class="quote" x=${x + 7} y=${y - 6}>“</text>`}
  </g>`;
}

function Friction({ bar, drawn, isLit }) {
  const y = drawn.frictionsTop + bar.row * ROW + ROW / 2;
  return html`<g class="friction" data-severity=${bar.pin.friction.severity} data-lit=${isLit}>
    <title>${bar.pin.friction.title[language.value]}</title>
    ${bar.pin.evidence.map((place) => html`<line key=${place} class="pin-line" x1=${drawn.xs[place]} x2=${drawn.xs[place]} y1=${drawn.ys[place] + 7} y2=${y} />`)}
    <line class="span" x1=${bar.start} x2=${bar.at} y1=${y} y2=${y} />
    <circle cx=${bar.at} cy=${y} r="8" /><text x=${bar.at} y=${y + 4} text-anchor="middle">${bar.pin.number}</text>
  </g>`;
}

const cut = (text, length) => (text.length > length ? `${text.slice(0, Math.max(1, length - 1))}…` : text);

function layout(story, pins, room) {
  const { touchpoints } = story;
  const { xs, xAt, width } = axis(touchpoints, room);
  const channels = [...new Set(touchpoints.map((one) => one.channel))];
  const ys = touchpoints.map((one) => HEAD + channels.indexOf(one.channel) * LANE + LANE / 2);
  const severities = touchpoints.map((_, at) => worst(pins.filter((pin) => pin.evidence.includes(at)).map((pin) => pin.friction.severity)));
  const placeOf = new Map(touchpoints.map((one, at) => [`${one.source}\n${one.id}`, at]));
  const contacts = story.contacts.flatMap((contact) => {
    const places = contact.touchpoints.map((ref) => placeOf.get(`${ref.source}\n${ref.id}`)).filter((at) => at !== undefined);
    if (!places.length) return [];
    return [{ key: `${contact.touchpoint.source} ${contact.touchpoint.id}`, from: xs[Math.min(...places)] - 11, to: xs[Math.max(...places)] + 11, y: ys[places[0]] }];
  });
  const frictionsTop = HEAD + channels.length * LANE + 8;
  const rows = packed(pins.filter((pin) => pin.evidence.length).map((pin) => {
    const start = xs[pin.evidence[0]];
    const end = xs[pin.at];
    return { pin, start, at: end, from: start - 9, to: end + 9 };
  }).sort((a, b) => a.from - b.from));
  const journeysTop = frictionsTop + Math.max(1, rows.rows) * ROW + 8;
  const present = new Set(touchpoints.map((one) => one.journey_id));
  const journeys = packed(story.journeys.filter((one) => present.has(one.id)).map((journey) => {
    const own = touchpoints.flatMap((one, at) => (one.journey_id === journey.id ? [xs[at]] : []));
    const from = Math.min(...own) - 8;
    const to = Math.max(...own) + 8;
    const inside = (text) => Math.max(from, Math.min(to, xAt(text)));
    const stages = journey.progress.flatMap((one) => one.stages.map((stage) => ({ from: inside(stage.entered_at), to: inside(stage.left_at ?? one.ended_at ?? journey.last_at), overdue: stage.overdue })));
    return { journey, from, to, stages, text: journeyText(journey) };
  }).sort((a, b) => a.from - b.from));
  const below = journeysTop + Math.max(1, journeys.rows) * ROW + 8;
  const effort = effortPath(story.hardest?.effort_course ?? [], xAt, below);
  return {
    xs, ys, width, channels, severities, contacts, ticks: ticksOf(touchpoints, xs), frictions: rows.bars, journeys: journeys.bars,
    frictionsTop: rows.bars.length ? frictionsTop : null, journeysTop, effortTop: effort ? below : null, effort,
    height: below + (effort ? EFFORT + 8 : 0),
  };
}

export const journeyText = (journey) => [word("reason", journey.reason), ...Object.entries(journey.refs).map(refName)].filter(Boolean).join(" · ");

const ORDER = ["low", "medium", "high", "critical"];
const worst = (severities) => ORDER[Math.max(-1, ...severities.map((one) => ORDER.indexOf(one)))];

// Days, and long silences within one, unless there is no room.
function ticksOf(touchpoints, xs) {
  const ticks = [];
  touchpoints.forEach((one, at) => {
    const here = new Date(one.occurred_at);
    const before = at ? new Date(touchpoints[at - 1].occurred_at) : null;
    const isDay = !before || before.toDateString() !== here.toDateString();
    const gap = before ? here - before : 0;
    const text = isDay ? here.toLocaleString(language.value, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" })
      : gap >= APART ? texts.value.story.later(span(gap)) : clockOnly(here);
    if (ticks.length && xs[at] - ticks.at(-1).x < (ticks.at(-1).text.length + 1) * 9) return;
    ticks.push({ x: xs[at], text });
  });
  return ticks;
}

const clockOnly = (when) => when.toLocaleTimeString(language.value, { hour: "2-digit", minute: "2-digit" });

function effortPath(course, xAt, top) {
  if (course.length < 2) return null;
  const y = (effort) => (top + EFFORT - (effort / 100) * (EFFORT - 8)).toFixed(1);
  const steps = course.map((one, at) => `${at ? `H${xAt(one.occurred_at).toFixed(1)}V${y(one.effort)}` : `M${xAt(one.occurred_at).toFixed(1)} ${y(one.effort)}`}`);
  const end = xAt(course.at(-1).occurred_at) + 20;
  return `${steps.join("")}H${end.toFixed(1)}V${top + EFFORT}H${xAt(course[0].occurred_at).toFixed(1)}Z`;
}
