// Sends with @rudderstack/rudder-sdk-node, as its users do; with more than the three tries it makes by itself.
import RudderAnalytics from "@rudderstack/rudder-sdk-node";
import { errors, run, spec } from "./calls.mjs";

const client = new RudderAnalytics(spec.key, {
  dataPlaneUrl: spec.url,
  flushInterval: 300,
  retryCount: 10,
  logLevel: "silly" in spec ? "silly" : "error",
  errorHandler: (error) => errors.push(error?.message ?? String(error)),
  ...(spec.one_by_one ? { flushAt: 1 } : {}),
});
const open = [];
const sent = (call) => open.push(new Promise((resolve) => call(resolve)));

await run({
  track: (userId, event, properties) => sent((done) => client.track({ userId, event, properties }, done)),
  identify: (userId, traits) => sent((done) => client.identify({ userId, traits }, done)),
  page: (userId, name) => sent((done) => client.page({ userId, name }, done)),
  alias: (userId, previousId) => sent((done) => client.alias({ userId, previousId }, done)),
  end: async () => {
    client.flush();
    await Promise.all(open);
  },
});
process.exit(0);
