#!/bin/sh
# Sends touchpoints with curl, each way that ingest takes them. Needs a source key:
#   WAYMARK_SOURCE_KEY=wm_src_… examples/producers/curl.sh [http://127.0.0.1:8080]
# Ends with 1 at the first answer that is not the one expected.
set -eu

url="${1:-http://127.0.0.1:8080}/v1/touchpoints"
key="${WAYMARK_SOURCE_KEY:?set WAYMARK_SOURCE_KEY to a source key; waymark keys create --source NAME makes one}"
now="$(date -u +%Y-%m-%dT%H:%M:%SZ)"
run="$(date +%s)-$$"

# touchpoint ID KIND IDENTIFIERS: one touchpoint as JSON
touchpoint() {
  printf '{"id": "%s-%s", "occurred_at": "%s", "channel": "phone", "kind": "%s", "customer": {%s}, "reason": "billing"}' \
    "$run" "$1" "$now" "$2" "$3"
}

# expect STATUS WHAT: reads an answer whose last line is its status
expect() {
  answer="$(cat)"
  status="$(printf '%s' "$answer" | tail -n 1)"
  printf '%s: %s\n%s\n\n' "$2" "$status" "$(printf '%s' "$answer" | sed '$d')"
  [ "$status" = "$1" ] || { printf 'expected %s\n' "$1" >&2; exit 1; }
}

post() { curl -sS -w '\n%{http_code}' -H 'Content-Type: application/json' "$@" "$url"; }

touchpoint 1 call_started '"phone": "010-1234-5678"' |
  post -H "Authorization: Bearer $key" --data-binary @- | expect 202 'one touchpoint'

touchpoint 1 call_started '"phone": "010-1234-5678"' |
  post -u "$key:" --data-binary @- | expect 202 'the same again, with the key as user name: a duplicate'

printf '{"touchpoints": [%s, %s]}' "$(touchpoint 2 call_ended '"email": "minseo@example.com"')" \
  "$(touchpoint 3 email_received '"customer_id": {"value": "C-1009", "verified": true}')" | gzip |
  post -H "X-Write-Key: $key" -H 'Content-Encoding: gzip' --data-binary @- | expect 202 'two at once, gzipped'

printf '[%s, %s]' "$(touchpoint 4 call_ended '"phone": "1588-1234", "cookie": "a1b2"')" \
  "$(touchpoint 5 call_ended '"phone": "114"')" |
  post -H "Authorization: Bearer $key" -H 'Accept-Language: ko' --data-binary @- |
  expect 207 'one with a warning, one rejected, explained in Korean'
