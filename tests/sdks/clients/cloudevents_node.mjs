// Sends with the `cloudevents` SDK of npm, as its users do. The SDK has no transport: what it makes goes out with fetch.
// In binary mode it does not percent-encode: a Korean subject cannot be sent, so `subject` is ASCII unless asked for.
import { CloudEvent, HTTP } from "cloudevents";

const spec = JSON.parse(process.argv[2]);
const modes = process.argv.slice(3); // binary or structured, and korean for a Korean subject in binary mode
const errors = [];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const make = modes.includes("structured") ? HTTP.structured : HTTP.binary;
const subject = modes.includes("structured") || modes.includes("korean") ? "배송 지연" : "delivery";

function eventOf(number) {
  return new CloudEvent({
    id: `${spec.run}-${number}`,
    source: "/shop/seoul",
    type: "waymark.touchpoint.v1",
    subject,
    datacontenttype: "application/json",
    identity: `C-${spec.run}`,
    identitytype: "customer_id",
    data: {
      id: `${spec.run}-${number}`,
      occurred_at: number < spec.malformed ? "late" : (spec.now ?? "2026-11-22T09:15:00+09:00"),
      channel: "web",
      kind: "checkout_started",
      reason: "배송 지연",
      refs: { order_id: `A-${number}` },
      attributes: { n: number },
    },
  });
}

async function post(message) {
  for (let tries = 0; tries < 60; tries += 1) {
    let answer;
    try {
      const headers = { ...message.headers, authorization: `Bearer ${spec.key}` };
      answer = await fetch(`${spec.url}/v1/touchpoints`, { method: "POST", headers, body: message.body });
    } catch (error) {
      if (String(error.message).includes("ByteString")) return error.message;
      await pause(200);
      continue;
    }
    const body = await answer.json();
    if (answer.status < 400) return null;
    if (answer.status !== 429 && answer.status !== 503) return `${answer.status} ${body.code}`;
    await pause(Math.min(Number(answer.headers.get("retry-after") ?? 1), 2) * 1000);
  }
  return "gave up";
}

for (let number = 0; number < spec.calls; number += 1) {
  const error = await post(make(eventOf(number)));
  if (error !== null) errors.push(error);
  if (spec.pause_ms) await pause(spec.pause_ms);
}
process.stdout.write(`${JSON.stringify({ errors })}\n`);
