// The rows of the heat map: a channel and a reason each, the hardest first. Pure.

const MOST_ROWS = 40;

// `{ rows: [{ channel, reason, frictions, hours: { hour: cell } }], most, left }`; rows without friction are left out,
// and `left` counts those that do not fit.
export function heatRows(cells) {
  const rows = new Map();
  for (const cell of cells) {
    const key = `${cell.channel} ${cell.reason ?? ""}`;
    if (!rows.has(key)) rows.set(key, { channel: cell.channel, reason: cell.reason ?? "", frictions: 0, hours: {} });
    const row = rows.get(key);
    row.frictions += cell.frictions;
    row.hours[cell.hour] = cell;
  }
  const hard = [...rows.values()].filter((row) => row.frictions).sort((a, b) => b.frictions - a.frictions || `${a.channel} ${a.reason}`.localeCompare(`${b.channel} ${b.reason}`));
  return { rows: hard.slice(0, MOST_ROWS), most: Math.max(1, ...cells.map((cell) => cell.frictions)), left: Math.max(0, hard.length - MOST_ROWS) };
}
