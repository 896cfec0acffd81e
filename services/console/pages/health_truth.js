// What operators are told of the whole, from what each part says: one sentence, and findings with the mend. Pure.
const LATE_MS = 60_000;

// `parts` is `{name: {state: "ready" | "doubtful" | "unready" | "silent", doubts: [text]}}`; `pipeline` and `hearing` are
// the answers of the APIs, or null where they do not answer. Returns findings, the worst first: `{ code, bad, … }`.
export function findings({ parts, pipeline, hearing }) {
  const found = [];
  for (const [part, { state, doubts }] of Object.entries(parts)) {
    if (state === "silent") found.push({ code: "silent", bad: true, part });
    else if (state === "unready") found.push({ code: "unready", bad: true, part, doubts });
    else if (state === "doubtful") found.push({ code: "doubtful", bad: false, part, doubts });
  }
  if (pipeline) {
    const behind = behindOf(pipeline);
    if (!pipeline.partitions) found.push({ code: "workerNever", bad: true });
    else if (behind === null) found.push({ code: "workerUnknown", bad: false });
    else if (behind > LATE_MS) found.push({ code: "late", bad: true, behind });
    if (pipeline.waiting_since && Date.parse(pipeline.at) - Date.parse(pipeline.waiting_since) > LATE_MS) found.push({ code: "unpublished", bad: true, count: pipeline.waiting });
  }
  if (hearing) {
    if (!hearing.endpoints) found.push({ code: "nobody", bad: false });
    if (hearing.unheard_issues && hearing.endpoints) found.push({ code: "unheard", bad: true, count: hearing.unheard_issues, since: hearing.unheard_since });
    for (const one of hearing.silent) found.push({ code: "endpoint", bad: one.reason !== "by_hand", name: one.name, reason: one.reason, since: one.since, waiting: one.waiting });
    const unheard = hearing.unheard.filter((way) => way.name);
    if (hearing.endpoints && unheard.length) found.push({ code: "ways", bad: true, names: unheard.map((way) => way.name) });
  }
  return found.sort((a, b) => b.bad - a.bad);
}

// By how much the worker is behind, in milliseconds, or null where it is not known.
export function behindOf(pipeline) {
  return pipeline.complete_until ? Math.max(0, Date.parse(pipeline.at) - Date.parse(pipeline.complete_until)) : null;
}

// What `/readyz?verbose` says: `[+]` is well, `[~]` and `[-]` are not.
export function partOf(status, text) {
  const doubts = text.split("\n").filter((line) => line.startsWith("[-]") || line.startsWith("[~]")).map((line) => line.slice(4));
  if (status === 200) return { state: doubts.length ? "doubtful" : "ready", doubts };
  return { state: status === 503 && text.startsWith("[") ? "unready" : "silent", doubts };
}
