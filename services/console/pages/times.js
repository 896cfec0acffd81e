// Times as people read them: in their zone, near ones relative. `now` moves every twenty seconds.
import { signal } from "@preact/signals";
import { language, texts } from "./words.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const now = signal(Date.now());
setInterval(() => { now.value = Date.now(); }, 20_000);

// How long: `12 min`, `3 h`, `5 d`. Milliseconds in.
export function span(milliseconds) {
  const t = texts.value;
  const long = Math.max(0, milliseconds);
  if (long < MINUTE) return t.underMinute;
  if (long < HOUR) return t.minutes(Math.floor(long / MINUTE));
  if (long < 2 * DAY) return t.hours(Math.floor(long / HOUR));
  return t.days(Math.floor(long / DAY));
}

export const age = (text) => span(now.value - Date.parse(text));

export function clock(text) {
  const moment = new Date(text);
  const sameDay = moment.toDateString() === new Date(now.value).toDateString();
  const day = sameDay ? {} : { month: "short", day: "numeric" };
  return moment.toLocaleString(language.value, { ...day, hour: "2-digit", minute: "2-digit" });
}

export const moment = (text) => new Date(text).toLocaleString(language.value, { dateStyle: "medium", timeStyle: "short" });

// Tomorrow at nine, where the reader is.
export function tomorrowMorning() {
  const then = new Date(now.value);
  then.setDate(then.getDate() + 1);
  then.setHours(9, 0, 0, 0);
  return then.toISOString();
}
