// Verifies a webhook of Waymark in Node, without a library: v1 (HMAC-SHA256, whsec_…) and v1a (Ed25519, whpk_…).
//
//   import { verify } from "./verify.mjs";
//   const message = JSON.parse(verify(rawBody, headers, ["whpk_…"]));   // throws an Error whose message is the reason
//
// `node verify.mjs vectors.json` checks this file against the vectors beside it.

import { createHmac, createPublicKey, timingSafeEqual, verify as verifySignature } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const TOLERANCE_S = 300;
const DER_OF_ED25519 = Buffer.from("302a300506032b6570032100", "hex"); // what stands before the 32 bytes (RFC 8410)

export function verify(rawBody, headers, keys, nowS = Date.now() / 1000) {
  const given = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const [id, stamp, tokens] = ["id", "timestamp", "signature"].map((name) => given[`webhook-${name}`]);
  if (!id || !stamp || !tokens) throw new Error("header_missing");
  if (!/^[0-9]{1,11}$/.test(stamp)) throw new Error("timestamp_malformed");
  if (Number(stamp) - nowS > TOLERANCE_S) throw new Error("too_new");
  if (Number(stamp) - nowS < -TOLERANCE_S) throw new Error("too_old");
  if (keys.length === 0) throw new Error("no_key");
  const signed = Buffer.concat([Buffer.from(`${id}.${stamp}.`), rawBody]);
  const secrets = keys.filter((key) => !key.startsWith("whpk_")).map((key) => decoded(key.replace(/^whsec_/, "")));
  const publicKeys = keys.filter((key) => key.startsWith("whpk_")).map((key) => publicKey(decoded(key.slice(5))));
  if (secrets.some((secret) => secret.length === 0)) throw new Error("key_malformed");
  let known = false;
  for (const token of tokens.split(" ").slice(0, 32)) {
    const [version, ...rest] = token.split(",");
    if (rest.length === 0) continue;
    if (version === "v1" && secrets.length > 0) known = true;
    else if (version === "v1a" && publicKeys.length > 0) known = true;
    else continue;
    const text = rest.join(",");
    if (!isBase64(text)) continue;
    const signature = decoded(text);
    const fits =
      version === "v1"
        ? secrets.some((secret) => same(createHmac("sha256", secret).update(signed).digest(), signature))
        : publicKeys.some((key) => verifySignature(null, signed, key, signature));
    if (fits) return rawBody;
  }
  throw new Error(known ? "wrong_signature" : "no_known_signature");
}

function isBase64(text) {
  return /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}

function decoded(text) {
  if (!isBase64(text)) throw new Error("key_malformed");
  return Buffer.from(text, "base64");
}

function publicKey(bytes) {
  if (bytes.length !== 32) throw new Error("key_malformed");
  return createPublicKey({ key: Buffer.concat([DER_OF_ED25519, bytes]), format: "der", type: "spki" });
}

function same(left, right) {
  return left.length === right.length && timingSafeEqual(left, right);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  let failed = 0;
  const { vectors } = JSON.parse(readFileSync(process.argv[2], "utf8"));
  for (const vector of vectors) {
    let result = "verified";
    try {
      verify(Buffer.from(vector.body_base64, "base64"), vector.headers, vector.keys, vector.now_s);
    } catch (error) {
      result = error.message;
    }
    if (result !== vector.result) {
      failed += 1;
      console.error(`${vector.name}: expected ${vector.result}, got ${result}`);
    }
  }
  console.log(`${vectors.length - failed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}
