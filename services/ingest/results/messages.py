"""The sentences of ingest in English and Korean.

Every sentence says what is wrong and how to put it right; limits stand in it as numbers. Sentences never quote what was
sent: answers end up in producers' logs, and what was sent is personal.
"""

from schemas.identifiers.spelling import DropReason
from schemas.languages import Language
from services.ingest.reasons import (
    RepairKind,
    RequestRefusal,
    ResponseSummary,
    TouchpointRejection,
    UnavailabilityReason,
)

ExplainedReason = (
    TouchpointRejection | DropReason | RepairKind | UnavailabilityReason | ResponseSummary | RequestRefusal
)


def say(reason: ExplainedReason, language: Language, **facts: str | int | float) -> str:
    """Return the sentence for `reason`, with its `facts` filled in."""
    return SENTENCES[reason][language].format(**facts)


SENTENCES: dict[ExplainedReason, dict[Language, str]] = {
    TouchpointRejection.ITEM_TOO_LARGE: {
        Language.EN: "The touchpoint is larger than the limit of {limit} bytes. Shorten `text` or `attributes`.",
        Language.KO: "접점이 한도 {limit}바이트보다 큽니다. `text`나 `attributes`를 줄이세요.",
    },
    TouchpointRejection.TOO_DEEP: {
        Language.EN: "The touchpoint is nested deeper than the limit of {limit} levels. Flatten `attributes`.",
        Language.KO: "접점의 중첩이 한도 {limit}단계보다 깊습니다. `attributes`를 평평하게 만드세요.",
    },
    TouchpointRejection.INVALID_JSON: {
        Language.EN: "The touchpoint is not valid JSON in UTF-8. Send text as it is, or with correct \\u escapes.",
        Language.KO: "접점이 올바른 UTF-8 JSON이 아닙니다. 글자를 그대로 보내거나 \\u 이스케이프를 고치세요.",
    },
    TouchpointRejection.NOT_AN_OBJECT: {
        Language.EN: "A touchpoint is a JSON object. Send {{...}}, not a list, text or number.",
        Language.KO: "접점은 JSON 객체입니다. 목록이나 글자, 숫자가 아니라 {{...}}를 보내세요.",
    },
    TouchpointRejection.DUPLICATE_MEMBER: {
        Language.EN: "The touchpoint has a member twice, and readers would differ on which one counts. Send it once.",
        Language.KO: "접점에 같은 이름의 항목이 두 번 있어 해석이 갈립니다. 한 번만 보내세요.",
    },
    TouchpointRejection.TEXT_NOT_ALLOWED: {
        Language.EN: "A text holds a NUL character or half of a surrogate pair. Remove it; cut between characters.",
        Language.KO: "글자에 NUL 또는 짝이 없는 서로게이트가 있습니다. 지우고, 글자 사이에서 자르세요.",
    },
    TouchpointRejection.NUMBER_OUT_OF_RANGE: {
        Language.EN: "A number is not finite or needs more than 64 bits. Send long numbers as text.",
        Language.KO: "숫자가 유한하지 않거나 64비트를 넘습니다. 긴 숫자는 글자로 보내세요.",
    },
    TouchpointRejection.INVALID_FIELD: {
        Language.EN: "A member is missing or wrong; `errors` names each one.",
        Language.KO: "빠졌거나 잘못된 항목이 있습니다. `errors`에 하나씩 적었습니다.",
    },
    TouchpointRejection.NO_USABLE_IDENTIFIER: {
        Language.EN: "Nothing in `customer` points to one person. Send at least one real identifier, "
        "for example customer_id, email, phone or cookie.",
        Language.KO: "`customer`에 한 사람을 가리키는 값이 없습니다. customer_id, email, phone, cookie 가운데 "
        "실제 값을 하나 이상 보내세요.",
    },
    TouchpointRejection.CHANNEL_NOT_ALLOWED: {
        Language.EN: "This source may not send this channel. Its channels are: {allowed}. "
        "Use the right key, or ask the operator to allow the channel.",
        Language.KO: "이 소스는 이 채널을 보낼 수 없습니다. 허용된 채널: {allowed}. "
        "맞는 키를 쓰거나 운영자에게 채널 허용을 요청하세요.",
    },
    TouchpointRejection.SOURCE_MISMATCH: {
        Language.EN: "`source` is not the source that the key belongs to. Leave `source` out; the key says it.",
        Language.KO: "`source`가 키의 소스와 다릅니다. `source`를 빼세요. 키가 소스를 정합니다.",
    },
    TouchpointRejection.OCCURRED_AT_IN_FUTURE: {
        Language.EN: "`occurred_at` is more than {limit} s ahead of our clock. Check the clock and the UTC offset.",
        Language.KO: "`occurred_at`이 서버 시각보다 {limit}초 넘게 앞섭니다. 시계와 UTC 오프셋을 확인하세요.",
    },
    TouchpointRejection.REPLAY_NOT_ALLOWED: {
        Language.EN: "`replay` needs a source with the replay scope. Leave it out, or use the import's key.",
        Language.KO: "`replay`에는 replay 권한이 있는 소스가 필요합니다. 빼거나, 가져오기용 키를 쓰세요.",
    },
    TouchpointRejection.WRITE_NOT_ALLOWED: {
        Language.EN: "This source may only replay. Set `replay` to true, or use a key of a source that may write.",
        Language.KO: "이 소스는 재생만 할 수 있습니다. `replay`를 true로 하거나 쓰기 권한이 있는 키를 쓰세요.",
    },
    TouchpointRejection.NOT_OF_SYSTEM: {
        Language.EN: "The body is not what this channel system sends. Compare it with `waymark sources show`, "
        "and check which system the source is set to.",
        Language.KO: "본문이 이 채널 시스템의 형식이 아닙니다. `waymark sources show`와 비교하고, "
        "소스에 설정된 시스템을 확인하세요.",
    },
    TouchpointRejection.UNKNOWN_CALL: {
        Language.EN: "`type` names no call. Use track, identify, page, screen, group or alias.",
        Language.KO: "`type`이 호출 이름이 아닙니다. track, identify, page, screen, group, alias 가운데 하나를 쓰세요.",
    },
    TouchpointRejection.SUPPRESSED: {
        Language.EN: "Nothing may be kept of this customer, who asked for it. Stop sending their touchpoints; "
        "nothing of this one was stored.",
        Language.KO: "이 고객의 요청에 따라 아무것도 저장하지 않습니다. 이 고객의 접점을 더 보내지 마세요. "
        "이 접점은 저장하지 않았습니다.",
    },
    DropReason.BLOCKED: {
        Language.EN: "This identifier was left out: its value is a placeholder that many people share.",
        Language.KO: "이 식별자는 뺐습니다. 여러 사람이 함께 쓰는 자리표시 값입니다.",
    },
    DropReason.SERVICE_NUMBER: {
        Language.EN: "This identifier was left out: it is a company's or service number, not a customer's.",
        Language.KO: "이 식별자는 뺐습니다. 고객 번호가 아니라 대표번호나 서비스 번호입니다.",
    },
    DropReason.INVALID: {
        Language.EN: "This identifier was left out: it is not a valid {type}.",
        Language.KO: "이 식별자는 뺐습니다. 올바른 {type} 값이 아닙니다.",
    },
    RepairKind.NUMBER_AS_TEXT: {
        Language.EN: "This number is kept as text, since not every reader keeps so long a number. Send it as text.",
        Language.KO: "숫자가 길어 그대로 읽지 못하는 곳이 있으므로 글자로 저장했습니다. 글자로 보내세요.",
    },
    RepairKind.SHORTENED: {
        Language.EN: "This was shortened to what may be kept: 4096 characters of a text, 100 members of an object or "
        "list, no NUL, no half of a surrogate pair. Send less.",
        Language.KO: "저장할 수 있는 만큼 줄였습니다. 글자 4096자, 객체와 목록은 100개까지이며 NUL과 짝이 없는 "
        "서로게이트는 뺍니다. 더 짧게 보내세요.",
    },
    RepairKind.LEFT_OUT: {
        Language.EN: "This was left out: it is not what the contract asks for. The rest was taken.",
        Language.KO: "형식에 맞지 않아 뺐습니다. 나머지는 받았습니다.",
    },
    UnavailabilityReason.NOT_ACKNOWLEDGED: {
        Language.EN: "Not confirmed as written. Send it again with the same id after {retry_after} s; "
        "a repeat does no harm.",
        Language.KO: "저장이 확인되지 않았습니다. {retry_after}초 뒤에 같은 id로 다시 보내세요. "
        "거듭 보내도 괜찮습니다.",
    },
    ResponseSummary.ALL_REJECTED: {
        Language.EN: "No touchpoint was accepted; `results` says why, one by one.",
        Language.KO: "받아들인 접점이 없습니다. 이유는 `results`에 하나씩 적었습니다.",
    },
    ResponseSummary.SOME_UNAVAILABLE: {
        Language.EN: "Not all was confirmed as written. After {retry_after} s send again, with the same ids, "
        "what `results` calls unavailable; sending everything again does no harm.",
        Language.KO: "저장이 확인되지 않은 것이 있습니다. {retry_after}초 뒤에 `results`의 unavailable 항목을 "
        "같은 id로 다시 보내세요. 모두 다시 보내도 괜찮습니다.",
    },
    RequestRefusal.EMPTY_BODY: {
        Language.EN: 'The body is empty. Send one touchpoint, or {{"touchpoints": [...]}}.',
        Language.KO: '본문이 비었습니다. 접점 하나 또는 {{"touchpoints": [...]}}를 보내세요.',
    },
    RequestRefusal.BODY_NOT_JSON: {
        Language.EN: "The body is not one JSON document in UTF-8 (with nothing after it).",
        Language.KO: "본문이 UTF-8 JSON 문서 하나가 아닙니다. 문서 뒤에는 아무것도 없어야 합니다.",
    },
    RequestRefusal.INVALID_ENVELOPE: {
        Language.EN: "The body is neither a touchpoint nor a list of them. "
        'Send {{...}}, [...] or {{"touchpoints": [...]}}.',
        Language.KO: "본문이 접점도 그 목록도 아닙니다. "
        '{{...}}, [...], {{"touchpoints": [...]}} 가운데 하나를 보내세요.',
    },
    RequestRefusal.INVALID_EVENT: {
        Language.EN: "The body is not one CloudEvent as a JSON object in UTF-8. Several go as a list, with "
        "Content-Type application/cloudevents-batch+json.",
        Language.KO: "본문이 UTF-8 JSON 객체로 된 CloudEvent 하나가 아닙니다. 여러 개는 "
        "Content-Type application/cloudevents-batch+json으로 목록을 보내세요.",
    },
    RequestRefusal.INVALID_BATCH: {
        Language.EN: "A batch of CloudEvents is a JSON list. One alone goes with "
        "Content-Type application/cloudevents+json.",
        Language.KO: "CloudEvents 묶음은 JSON 목록입니다. 하나만 보낼 때는 "
        "Content-Type application/cloudevents+json을 쓰세요.",
    },
    RequestRefusal.NO_TOUCHPOINTS: {
        Language.EN: "The list of touchpoints is empty. Send at least one, or do not send.",
        Language.KO: "접점 목록이 비었습니다. 하나 이상 보내거나 보내지 마세요.",
    },
    RequestRefusal.BODY_TOO_DEEP: {
        Language.EN: "The body is nested far too deeply; a touchpoint may have {limit} levels.",
        Language.KO: "본문의 중첩이 지나치게 깊습니다. 접점은 {limit}단계까지입니다.",
    },
    RequestRefusal.INVALID_CALLS: {
        Language.EN: 'The body is neither a call nor a batch of them. Send {{...}} or {{"batch": [...]}}.',
        Language.KO: '본문이 호출도 그 묶음도 아닙니다. {{...}} 또는 {{"batch": [...]}}를 보내세요.',
    },
    RequestRefusal.NO_CALLS: {
        Language.EN: "`batch` is empty. Send at least one call, or do not send.",
        Language.KO: "`batch`가 비었습니다. 호출을 하나 이상 보내거나 보내지 마세요.",
    },
    RequestRefusal.INVALID_ENCODING: {
        Language.EN: "The body is not whole, valid {encoding} data, though Content-Encoding says so.",
        Language.KO: "Content-Encoding과 달리 본문이 온전한 {encoding} 데이터가 아닙니다.",
    },
    RequestRefusal.KEY_MISSING: {
        Language.EN: "No source key. Send it as `Authorization: Bearer`, as the Basic user name, "
        "in `X-Write-Key`, or as `writeKey` in the body.",
        Language.KO: "소스 키가 없습니다. `Authorization: Bearer`, Basic 사용자 이름, `X-Write-Key`, "
        "본문의 `writeKey` 가운데 하나로 보내세요.",
    },
    RequestRefusal.KEY_INVALID: {
        Language.EN: "This is not a source key that we know. A source key starts with wm_src_.",
        Language.KO: "등록된 소스 키가 아닙니다. 소스 키는 wm_src_로 시작합니다.",
    },
    RequestRefusal.KEY_REVOKED: {
        Language.EN: "This source key was revoked. Ask the operator for a new one.",
        Language.KO: "폐기된 소스 키입니다. 운영자에게 새 키를 요청하세요.",
    },
    RequestRefusal.KEY_EXPIRED: {
        Language.EN: "This source key has expired. Ask the operator for a new one.",
        Language.KO: "만료된 소스 키입니다. 운영자에게 새 키를 요청하세요.",
    },
    RequestRefusal.SOURCE_DISABLED: {
        Language.EN: "This source is disabled. Ask the operator.",
        Language.KO: "사용이 중지된 소스입니다. 운영자에게 문의하세요.",
    },
    RequestRefusal.ORIGIN_NOT_ALLOWED: {
        Language.EN: "This source may not be sent from this web page. Ask the operator to allow its origin.",
        Language.KO: "이 웹 페이지에서는 이 소스를 보낼 수 없습니다. 운영자에게 출처(origin) 허용을 요청하세요.",
    },
    RequestRefusal.SOURCE_MISCONFIGURED: {
        Language.EN: "What this source sends cannot be mapped just now: the operator has to mend its mapping. "
        "Send the same request again after {retry_after} s.",
        Language.KO: "지금 이 소스의 매핑 설정이 잘못되어 처리할 수 없습니다. 운영자가 고쳐야 합니다. "
        "{retry_after}초 뒤에 같은 요청을 다시 보내세요.",
    },
    RequestRefusal.METHOD_NOT_ALLOWED: {
        Language.EN: "This address takes POST only.",
        Language.KO: "이 주소는 POST만 받습니다.",
    },
    RequestRefusal.BODY_TIMEOUT: {
        Language.EN: "The body did not arrive within {limit} s. Send it again, faster or in smaller parts.",
        Language.KO: "본문이 {limit}초 안에 도착하지 않았습니다. 더 빨리, 또는 작게 나누어 다시 보내세요.",
    },
    RequestRefusal.BODY_TOO_LARGE: {
        Language.EN: "The body is larger than the limit of {limit} bytes. Send fewer touchpoints at once, or gzip.",
        Language.KO: "본문이 한도 {limit}바이트보다 큽니다. 나누어 보내거나 gzip으로 압축하세요.",
    },
    RequestRefusal.INFLATED_TOO_LARGE: {
        Language.EN: "The body inflates past the limit of {limit} bytes. Send fewer touchpoints at once.",
        Language.KO: "압축을 풀면 한도 {limit}바이트를 넘습니다. 나누어 보내세요.",
    },
    RequestRefusal.TOO_MANY_ITEMS: {
        Language.EN: "There are more touchpoints than the limit of {limit} in one request. Send fewer at once.",
        Language.KO: "한 요청의 접점이 한도 {limit}개보다 많습니다. 나누어 보내세요.",
    },
    RequestRefusal.UNSUPPORTED_MEDIA_TYPE: {
        Language.EN: "Send `Content-Type: application/json` in UTF-8, or CloudEvents: application/cloudevents+json, "
        "application/cloudevents-batch+json, or `ce-*` headers.",
        Language.KO: "UTF-8 `Content-Type: application/json`으로, CloudEvents는 application/cloudevents+json, "
        "application/cloudevents-batch+json 또는 `ce-*` 헤더로 보내세요.",
    },
    RequestRefusal.UNSUPPORTED_ENCODING: {
        Language.EN: "This Content-Encoding is not known here. Use {accepted}, or none.",
        Language.KO: "알 수 없는 Content-Encoding입니다. {accepted}을(를) 쓰거나 압축하지 마세요.",
    },
    RequestRefusal.OVERLOADED: {
        Language.EN: "Too much is in flight just now. Send the same request again after {retry_after} s.",
        Language.KO: "지금 처리 중인 요청이 너무 많습니다. {retry_after}초 뒤에 같은 요청을 다시 보내세요.",
    },
    RequestRefusal.WEBHOOK_UNKNOWN: {
        Language.EN: "No source of this name takes webhooks. Check the address; `waymark sources list` shows them.",
        Language.KO: "이 이름으로 웹훅을 받는 소스가 없습니다. 주소를 확인하세요. "
        "`waymark sources list`로 볼 수 있습니다.",
    },
    RequestRefusal.WEBHOOK_NOT_READY: {
        Language.EN: "This webhook is not set up completely. Ask the operator; the message can be sent again later.",
        Language.KO: "이 웹훅의 설정이 끝나지 않았습니다. 운영자에게 문의하세요. 나중에 다시 보내도 됩니다.",
    },
    RequestRefusal.WEBHOOK_TIMEOUT: {
        Language.EN: "Not confirmed as written in time. Send the same request again after {retry_after} s; "
        "a repeat does no harm.",
        Language.KO: "제시간에 저장이 확인되지 않았습니다. {retry_after}초 뒤에 같은 요청을 다시 보내세요. "
        "거듭 보내도 괜찮습니다.",
    },
    RequestRefusal.ADDRESS_NOT_ALLOWED: {
        Language.EN: "This webhook takes requests from its vendor's networks only. Behind a proxy, name it in "
        "WAYMARK_INGEST_TRUSTED_PROXIES.",
        Language.KO: "이 웹훅은 해당 서비스의 네트워크에서 온 요청만 받습니다. 프록시를 거친다면 "
        "WAYMARK_INGEST_TRUSTED_PROXIES에 적으세요.",
    },
    RequestRefusal.SIGNATURE_MISSING: {
        Language.EN: "The request carries no signature (or token) where this channel system puts it. "
        "Turn signing on at the vendor, and check that no proxy drops the header.",
        Language.KO: "요청에 이 채널 시스템의 서명(또는 토큰)이 없습니다. 서비스에서 서명을 켜고, "
        "프록시가 헤더를 지우지 않는지 확인하세요.",
    },
    RequestRefusal.SIGNATURE_WRONG: {
        Language.EN: "The signature (or token) is not right. Check the secret of the source and, where the URL is "
        "signed, the public URL; the body must arrive unchanged.",
        Language.KO: "서명(또는 토큰)이 맞지 않습니다. 소스의 비밀 값과, URL도 서명한다면 공개 URL을 확인하세요. "
        "본문은 바뀌지 않은 채 도착해야 합니다.",
    },
    RequestRefusal.SIGNATURE_STALE: {
        Language.EN: "The signature is right in form, but its time is too far from ours. Check the clocks; "
        "an old message sent again must be signed again.",
        Language.KO: "서명 시각이 서버 시각과 너무 다릅니다. 시계를 확인하세요. "
        "오래된 메시지를 다시 보낼 때는 새로 서명해야 합니다.",
    },
    RequestRefusal.KEYS_UNAVAILABLE: {
        Language.EN: "Source keys cannot be checked just now. Send the same request again after {retry_after} s.",
        Language.KO: "지금 소스 키를 확인할 수 없습니다. {retry_after}초 뒤에 같은 요청을 다시 보내세요.",
    },
    RequestRefusal.TOO_MANY_REQUESTS: {
        Language.EN: "This source sends more requests than it may (`RateLimit` says how many are left). "
        "Send the same again after {retry_after} s, or several touchpoints in one request.",
        Language.KO: "이 소스가 허용된 수보다 많은 요청을 보냅니다(남은 수는 `RateLimit`에 있습니다). "
        "{retry_after}초 뒤에 다시 보내거나, 여러 접점을 한 요청에 담으세요.",
    },
    RequestRefusal.TOO_MANY_TOUCHPOINTS: {
        Language.EN: "This source sends more touchpoints than it may (`RateLimit` says how many are left). "
        "Send the same again after {retry_after} s, or ask the operator for a higher limit.",
        Language.KO: "이 소스가 허용된 수보다 많은 접점을 보냅니다(남은 수는 `RateLimit`에 있습니다). "
        "{retry_after}초 뒤에 다시 보내거나, 운영자에게 한도를 높여 달라고 하세요.",
    },
    RequestRefusal.TOO_MANY_WRONG_KEYS: {
        Language.EN: "Too many wrong keys came from this address. Check the key, and try again after {retry_after} s.",
        Language.KO: "이 주소에서 잘못된 키가 너무 많이 왔습니다. 키를 확인하고 {retry_after}초 뒤에 다시 시도하세요.",
    },
    RequestRefusal.TOO_MANY_STREAMS: {
        Language.EN: "Too many people watch just now. Try again after {retry_after} s, or close another window.",
        Language.KO: "지금 보고 있는 사람이 너무 많습니다. {retry_after}초 뒤에 다시 열거나 다른 창을 닫으세요.",
    },
    RequestRefusal.INSPECT_NOT_ALLOWED: {
        Language.EN: "This key may not look into what was sent. Use a key with the inspect scope, "
        "or an operator's key with `source`.",
        Language.KO: "이 키로는 보낸 내용을 볼 수 없습니다. inspect 권한이 있는 키를 쓰거나, "
        "운영자 키를 `source`와 함께 쓰세요.",
    },
    RequestRefusal.INVALID_QUERY: {
        Language.EN: "The query parameter `{name}` is not what is expected here. Allowed: {allowed}.",
        Language.KO: "쿼리 매개변수 `{name}`의 값이 잘못되었습니다. 쓸 수 있는 값: {allowed}.",
    },
}
"""One sentence for every reason, in both languages."""
