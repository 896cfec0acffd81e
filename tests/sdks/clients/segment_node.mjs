// Sends with @segment/analytics-node, as its users do.
import { Analytics } from "@segment/analytics-node";
import { errors, run, spec } from "./calls.mjs";

const analytics = new Analytics({
  writeKey: spec.key,
  host: spec.url,
  flushInterval: 300,
  ...(spec.one_by_one ? { flushAt: 1 } : {}),
});
analytics.on("error", (error) => errors.push(String(error.reason?.message ?? error.reason ?? error.code)));

await run({
  track: (userId, event, properties) => analytics.track({ userId, event, properties }),
  identify: (userId, traits) => analytics.identify({ userId, traits }),
  page: (userId, name) => analytics.page({ userId, name }),
  alias: (userId, previousId) => analytics.alias({ userId, previousId }),
  end: () => analytics.closeAndFlush({ timeout: 90_000 }),
});
