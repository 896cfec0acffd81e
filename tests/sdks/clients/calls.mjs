// The calls that every Node client of the matrix makes: spec in, `{errors}` out.
export const spec = JSON.parse(process.argv[2]);
export const errors = [];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// `api` has track, identify, page and alias, each taking (userId, rest), and `end`.
export async function run(api) {
  const who = `C-${spec.run}`;
  for (let n = 0; n < spec.calls; n += 1) {
    const properties = { n, run: spec.run, reason: "배송 지연", order_id: `A-${n}` };
    await api.track(n < spec.malformed ? "x".repeat(300) : who, "Checkout Started", properties);
    if (spec.pause_ms) await pause(spec.pause_ms);
  }
  if (spec.others) {
    await api.identify(who, { email: `${spec.run}@example.com` });
    await api.page(who, "배송 조회");
    await api.alias(who, `a-${spec.run}`);
  }
  await api.end();
  process.stdout.write(`${JSON.stringify({ errors })}\n`);
}
