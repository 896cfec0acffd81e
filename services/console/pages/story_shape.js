// How a story is laid out: which touchpoint belongs to which contact and journey, which frictions are pinned where, and
// where each stands on an axis of time that long silences do not stretch. Pure: it knows neither page nor service.

export const nameOf = (ref) => `${ref.source}\n${ref.id}`;

// The standing frictions in the order of their anchors, each with its number, the touchpoint that completed it and the
// places of its evidence among `touchpoints`.
export function pinned(touchpoints, frictions) {
  const places = new Map(touchpoints.map((one, at) => [nameOf(one), at]));
  return frictions
    .filter((one) => one.state === "detected")
    .map((friction) => {
      const evidence = friction.touchpoints.map((ref) => places.get(nameOf(ref))).filter((at) => at !== undefined).sort((a, b) => a - b);
      return { friction, evidence, at: evidence.at(-1) ?? null };
    })
    .sort((a, b) => Date.parse(a.friction.occurred_at) - Date.parse(b.friction.occurred_at) || a.friction.id.localeCompare(b.friction.id))
    .map((pin, index) => ({ ...pin, number: index + 1 }));
}

// The story by journey, the latest first, and in each by contact, the oldest first.
export function byJourney(touchpoints, contacts, journeys) {
  const contactOf = new Map(contacts.flatMap((contact) => contact.touchpoints.map((ref) => [nameOf(ref), contact])));
  const known = new Map(journeys.map((one) => [one.id, one]));
  const parts = new Map();
  touchpoints.forEach((touchpoint, at) => {
    const id = touchpoint.journey_id ?? "";
    if (!parts.has(id)) parts.set(id, { journey: known.get(id) ?? null, entries: [], last: 0 });
    const part = parts.get(id);
    const contact = contactOf.get(nameOf(touchpoint)) ?? null;
    const open = part.entries.find((one) => contact && one.contact === contact);
    if (open) open.touchpoints.push({ touchpoint, at });
    else part.entries.push({ contact, touchpoints: [{ touchpoint, at }] });
    part.last = at;
  });
  return [...parts.values()].sort((a, b) => b.last - a.last);
}

const STEP = 26;
const WIDEST = 150;
const MINUTE = 60_000;

// Places on the axis, in pixels: a silence of a minute is a step, one of a week some steps.
// Few touchpoints spread over the `room` that there is, up to three times as far apart.
export function axis(touchpoints, room = 0, start = 30) {
  const times = touchpoints.map((one) => Date.parse(one.occurred_at));
  const steps = times.map((time, at) => (at ? Math.min(WIDEST, STEP + 11 * Math.log2(1 + Math.max(0, time - times[at - 1]) / MINUTE)) : 0));
  const whole = steps.reduce((sum, one) => sum + one, 0);
  const stretch = whole ? Math.max(1, Math.min(3, (room - 2 * start - 40) / whole)) : 1;
  let x = start;
  const xs = steps.map((step) => { x += step * stretch; return x; });
  // Where any moment lies: between the touchpoints around it.
  const xAt = (text) => {
    const time = Date.parse(text);
    const after = times.findIndex((one) => one >= time);
    if (!times.length) return start;
    if (after < 0) return xs.at(-1) + 10;
    if (after === 0) return times[0] === time ? xs[0] : xs[0] - 10;
    const share = (time - times[after - 1]) / (times[after] - times[after - 1] || 1);
    return xs[after - 1] + share * (xs[after] - xs[after - 1]);
  };
  return { xs, xAt, width: (xs.at(-1) ?? start) + start + 40 };
}

// Puts bars into as few rows as they need without overlapping: `[{from, to, …}]` get a `row`.
export function packed(bars, room = 8) {
  const ends = [];
  const placed = bars.map((bar) => {
    let row = ends.findIndex((end) => end + room <= bar.from);
    if (row < 0) row = ends.push(0) - 1;
    ends[row] = bar.to;
    return { ...bar, row };
  });
  return { bars: placed, rows: ends.length };
}
