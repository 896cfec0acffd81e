// The three ways to look at all journeys, and the time and the people that all three are narrowed to.
import { html } from "../html.js";
import { LEVELS } from "../inbox_list.js";
import { go, href, place, withQuery } from "../router.js";
import { texts, word } from "../words.js";

const HOUR = 3_600_000;
const RANGES = { day: 24 * HOUR, week: 7 * 24 * HOUR, month: 30 * 24 * HOUR };
const TABS = ["map", "funnels", "heat"];

export function JourneyTabs() {
  const t = texts.value.map;
  return html`<nav class="views tabs" aria-label=${t.tabs}>${TABS.map((one) => html`<a key=${one} href=${href(`/${one}`)} data-inside aria-current=${place.value.path === `/${one}` ? "page" : undefined}>${t.tab[one]}</a>`)}</nav>`;
}

// From when on, at a whole hour as the service counts them, so that the question stays the same each time it is drawn;
// empty for everything.
export function since(range) {
  return range in RANGES ? new Date(Math.floor((Date.now() - RANGES[range]) / HOUR) * HOUR).toISOString() : "";
}

const change = (changes) => go(withQuery(changes), { replace: true });
const choice = (name, any, options, chosen) => html`<select aria-label=${any} value=${chosen} onChange=${(event) => change({ [name]: event.target.value })}>
  ${any !== null && html`<option value="" selected=${!chosen}>${any}</option>`}${options.map(([value, label]) => html`<option key=${value} value=${value} selected=${value === chosen}>${label}</option>`)}</select>`;

export function RangeChoice({ without = [], usual = "" }) {
  const t = texts.value.map;
  const chosen = place.value.query.get("range") ?? usual;
  const ranges = ["all", ...Object.keys(RANGES)].filter((one) => !without.includes(one));
  return html`<select aria-label=${t.range} value=${chosen || "all"} onChange=${(event) => change({ range: event.target.value })}>
    ${ranges.map((one) => html`<option key=${one} value=${one} selected=${one === (chosen || "all")}>${t.ranges[one]}</option>`)}</select>`;
}

export const ReasonChoice = () => choice("reason", texts.value.map.anyReason, Object.keys(texts.value.reason).filter((one) => one !== "return").map((one) => [one, word("reason", one)]), place.value.query.get("reason") ?? "");
export const LevelChoice = () => choice("service_level", texts.value.map.anyLevel, LEVELS.map((one) => [one, word("level", one)]), place.value.query.get("service_level") ?? "");
export const ChannelChoice = () => choice("channel", texts.value.inbox.anyChannel, Object.keys(texts.value.channel).map((one) => [one, word("channel", one)]), place.value.query.get("channel") ?? "");
