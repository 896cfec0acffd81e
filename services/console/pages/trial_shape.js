// What a trial of a rule says, ready to draw: day by day beside what is in force, and whether it would get noisy. Pure.

const DAY = 24 * 60 * 60 * 1000;

// The days of the window in the reader's zone, as the trial names them: `2026-11-30`.
export function daysOf(since, until, zone) {
  const name = new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" });
  const days = [];
  for (let at = since; at < until; at += DAY / 2) if (days.at(-1) !== name.format(at)) days.push(name.format(at));
  if (days.at(-1) !== name.format(until)) days.push(name.format(until));
  return days;
}

const sum = (counts) => Object.values(counts).reduce((all, one) => all + one, 0);

// `{ days: [{ day, now, then }], most, issues: { now, then }, isNoisy }` of one rule; issues are those of all rules.
export function shapeOf(result, id, days) {
  const rule = result.rules.find((one) => one.id === id);
  const rows = days.map((day) => ({ day, now: rule.in_force_per_day[day] ?? 0, then: rule.per_day[day] ?? 0 }));
  const issues = { now: sum(result.issues.in_force.per_day), then: sum(result.issues.tried.per_day) };
  const more = issues.then - issues.now;
  return {
    rule, days: rows, issues,
    most: Math.max(1, ...rows.flatMap((row) => [row.now, row.then])),
    isNoisy: more > 0 && (more >= 0.2 * issues.now || rule.found >= 2 * Math.max(1, rule.in_force)),
  };
}
