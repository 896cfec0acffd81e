// Sends with @jitsu/js from a server, as its users do. It never tries again: what fails is reported. It wants a key that
// looks like its own, `key:secret`; what stands before the colon counts.
import { jitsuAnalytics } from "@jitsu/js";
import { errors, run, spec } from "./calls.mjs";

console.error = (...words) => errors.push(words.join(" ").slice(0, 200));
const jitsu = jitsuAnalytics({ host: spec.url, writeKey: `${spec.key}:-`, s2s: true });

await run({
  // The library adds an anonymous id of its own, which is enough to take a call whose user id cannot be kept.
  track: (userId, event, properties) =>
    jitsu.track(event, properties, userId.length > 256 ? { userId, anonymousId: userId } : { userId }),
  identify: (userId, traits) => jitsu.identify(userId, traits),
  page: (userId, name) => jitsu.page({ name }),
  alias: () => Promise.resolve(), // this library has no alias call
  end: () => Promise.resolve(),
});
