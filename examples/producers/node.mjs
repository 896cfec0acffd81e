#!/usr/bin/env node
// Sends touchpoints from Node 18 or later with nothing but what Node has: a batch, sent again until each one has its
// final answer. (Segment's and RudderStack's SDKs work as well: docs/ingest.md.)
//
//   WAYMARK_SOURCE_KEY=wm_src_… node examples/producers/node.mjs [http://127.0.0.1:8080]

import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";

const url = `${process.argv[2] ?? "http://127.0.0.1:8080"}/v1/touchpoints`;
const key = process.env.WAYMARK_SOURCE_KEY;

async function send(touchpoints) {
  const results = [];
  for (let attempt = 0; touchpoints.length > 0; attempt += 1) {
    const sentAt = new Date().toISOString();
    let answer;
    try {
      answer = await fetch(url, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json", "accept-language": "ko" },
        body: JSON.stringify({ touchpoints: touchpoints.map((one) => ({ ...one, sent_at: sentAt })) }),
        signal: AbortSignal.timeout(30_000),
      });
    } catch {
      await pause(Math.min(500 * 2 ** attempt, 15_000)); // nobody answered: it may be written or not
      continue;
    }
    const said = await answer.json().catch(() => ({}));
    if (!said.results) {
      if (answer.status !== 429 && answer.status < 500) throw new Error(`${answer.status} ${said.code}: ${said.message}`);
      await pause(Math.max(1000 * Number(answer.headers.get("retry-after") ?? 0), Math.min(500 * 2 ** attempt, 15_000)));
      continue;
    }
    results.push(...said.results.filter((one) => one.status !== "unavailable"));
    touchpoints = touchpoints.filter((_, at) => said.results[at].status === "unavailable");
    if (touchpoints.length > 0) await pause(1000 * Number(answer.headers.get("retry-after") ?? 1));
  }
  return results;
}

const chat = randomUUID();
const common = {
  occurred_at: new Date().toISOString(),
  channel: "chat",
  direction: "inbound",
  customer: { email: "c-1009@example.com" },
  interaction_id: chat,
  reason: "delivery",
};
const results = await send([
  { ...common, id: `${chat}/start`, kind: "chat_started", text: "택배가 아직 안 왔어요" },
  { ...common, id: `${chat}/end`, kind: "chat_ended", outcome: "unresolved", duration_s: 540 },
]);
for (const one of results) console.log(`${one.id}: ${one.status} ${one.code ?? ""} ${one.message ?? ""}`.trimEnd());
process.exitCode = results.every((one) => one.status === "accepted") ? 0 : 1;
