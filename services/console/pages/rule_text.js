// A rule as text that people write on, and a form over the same text: its numbers and durations, line by line. Pure.

const PLAIN = /^[A-Za-z_][A-Za-z0-9_.]*$/;
const DURATION = /^\d+[smhd]( \d+[smhd]){0,3}$/;
const NUMBER = /^-?\d+(\.\d+)?$/;
const RESERVED = new Set(["true", "false", "null", "yes", "no", "on", "off", "y", "n"]);
const WIDE = 96;

const isMeasure = (value) => typeof value === "number" || (typeof value === "string" && DURATION.test(value));
const holdsMeasure = (value) => isMeasure(value) || (value !== null && typeof value === "object" && Object.values(value).some(holdsMeasure));

function scalar(value) {
  if (typeof value !== "string") return JSON.stringify(value);
  return (PLAIN.test(value) && !RESERVED.has(value.toLowerCase())) || DURATION.test(value) ? value : JSON.stringify(value);
}

function inline(value) {
  if (value === null || typeof value !== "object") return scalar(value);
  if (Array.isArray(value)) return `[${value.map(inline).join(", ")}]`;
  return `{${Object.entries(value).map(([name, one]) => `${scalar(name)}: ${inline(one)}`).join(", ")}}`;
}

function lines(value, name) {
  if (value === null || typeof value !== "object" || !Object.keys(value).length) return [`${scalar(name)}: ${inline(value)}`];
  const short = `${scalar(name)}: ${inline(value)}`;
  if (!holdsMeasure(value) && short.length <= WIDE) return [short];
  const inner = Array.isArray(value) ? value.flatMap(item) : Object.entries(value).flatMap(([key, one]) => lines(one, key));
  return [`${scalar(name)}:`, ...inner.map((line) => `  ${line}`)];
}

function item(value) {
  if (value === null || typeof value !== "object" || Array.isArray(value) || (!holdsMeasure(value) && inline(value).length <= WIDE)) return [`- ${inline(value)}`];
  return inOrder(Object.entries(value)).flatMap(([name, one]) => lines(one, name)).map((line, at) => (at ? `  ${line}` : `- ${line}`));
}

// What a reader looks for first, and what belongs to the end; everything else stands between, as it comes.
const FIRST = ["id", "shape", "version", "enabled", "severity", "severity_by_service_level", "name", "when"];
const LAST = ["title", "explanation", "playbook"];
const rank = (name) => (FIRST.includes(name) ? FIRST.indexOf(name) : LAST.includes(name) ? 100 + LAST.indexOf(name) : 50);
const inOrder = (entries) => entries.sort(([one], [other]) => rank(one) - rank(other));

// A rule as YAML; each number and each duration has a line of its own.
export function written(rule) {
  return `${inOrder(Object.entries(rule)).flatMap(([name, value]) => lines(value, name)).join("\n")}\n`;
}

// A file of whole rules in which `text` stands for the rule `id`, or comes last. `before` is how many lines of it stand before the text.
export function composed(rules, id, text) {
  const at = rules.findIndex((rule) => rule.id === id);
  const blocks = rules.map((rule) => entry(written(rule)));
  if (at >= 0) blocks[at] = entry(text);
  else blocks.push(entry(text));
  const ahead = blocks.slice(0, at >= 0 ? at : -1).join("");
  return { text: `rules:\n${blocks.join("")}`, before: 1 + (ahead.match(/\n/g) ?? []).length };
}

// An entry of a list; lines keep their number.
function entry(text) {
  const rows = text.replace(/\n+$/, "").split("\n");
  return `${rows.map((row, at) => (at ? `    ${row}` : `  - ${row}`)).join("\n")}\n`;
}

const LINE = /^(\s*(?:- )?)([A-Za-z_][\w.]*): (.+?)\s*$/;

// What a form shows of the text: `{ line, name, kind, value, context }` for each number and duration, in order.
export function measures(text) {
  const found = [];
  let context = [];
  text.split("\n").forEach((row, line) => {
    const [, indent, name, value] = LINE.exec(row) ?? [];
    if (/^\s*- /.test(row)) context = [];
    if (name === undefined) return;
    if (name === "when" || (name === "name" && indent)) context = [...value.matchAll(/(\w+): ([\w ]+)/g)].map(([, field, word]) => [field, word]);
    else if (indent === "") context = [];
    const kind = DURATION.test(value) ? "duration" : NUMBER.test(value) ? "number" : null;
    if (kind && name !== "version") found.push({ line, name, kind, value, context });
  });
  return found;
}

// The value of a member at the top of the text; undefined where it is not written.
export const member = (text, name) => new RegExp(`^${name}: (.+?)\\s*$`, "m").exec(text)?.[1];

// The text with another value in one line.
export function withLine(text, line, value) {
  return text.split("\n").map((row, at) => (at === line ? row.replace(/: .*$/, `: ${value}`) : row)).join("\n");
}

// The text with another value of a member at the top; written below the shape where it is not there.
export function withMember(text, name, value) {
  if (member(text, name) !== undefined) return text.replace(new RegExp(`^${name}: .*$`, "m"), `${name}: ${value}`);
  const rows = text.split("\n");
  const at = rows.findIndex((row) => row.startsWith("shape:"));
  rows.splice(at + 1, 0, `${name}: ${value}`);
  return rows.join("\n");
}

// A mistake as the API tells it, with the line of the text: `{ line, said }`; line is null where it is elsewhere.
export function mistake(problem, before) {
  const [, said, number] = /^(.*?)(?: \(line (\d+)\))?$/s.exec(problem);
  const line = number === undefined ? null : Number(number) - before;
  return { line: line !== null && line >= 1 ? line : null, said: said.replace(/^rules\[\d+\]\.?/, "") };
}
