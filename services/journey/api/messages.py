"""The messages with which the read API refuses requests, in English and Korean.

The list is closed: each refusal has a stable `code` for programs and a sentence for people that says what to do next.
No message repeats what the caller sent, because that is often an identifier.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from schemas.languages import Language, preferred_language
from services.runtime.http.problems import Problem


class ReadRefusal(StrEnum):
    """Why a request was refused."""

    KEY_MISSING = "key_missing"
    KEY_INVALID = "key_invalid"
    KEY_OF_A_SOURCE = "key_of_a_source"
    KEYS_UNVERIFIABLE = "keys_unverifiable"
    ONLY_INGEST_ASKS = "only_ingest_asks"
    ADMIN_NEEDED = "admin_needed"
    PAIR_MALFORMED = "pair_malformed"
    CUSTOMERS_BUSY = "customers_busy"
    TOO_MANY_CONNECTED = "too_many_connected"
    NO_RULES_YET = "no_rules_yet"
    RULE_UNKNOWN = "rule_unknown"
    RULES_UNSOUND = "rules_unsound"
    RULES_OF_CASES_MISSING = "rules_of_cases_missing"
    RULES_VERSION_UNKNOWN = "rules_version_unknown"
    IDENTITY_UNSOUND = "identity_unsound"
    IDENTITY_VERSION_UNKNOWN = "identity_version_unknown"
    REHEARSAL_BUSY = "rehearsal_busy"
    REHEARSAL_TOO_LARGE = "rehearsal_too_large"
    NOTHING_TO_TRY = "nothing_to_try"
    TRIALS_OFF = "trials_off"
    TRIAL_RUNNING = "trial_running"
    TRIAL_TOO_LONG = "trial_too_long"
    TRIAL_PROCESS_ENDED = "trial_process_ended"
    IDENTIFIER_MALFORMED = "identifier_malformed"
    IDENTIFIER_BLOCKED = "identifier_blocked"
    CUSTOMER_UNKNOWN = "customer_unknown"
    IDENTIFIER_OF_MANY = "identifier_of_many"
    CUSTOMER_MOVED = "customer_moved"
    JOURNEY_UNKNOWN = "journey_unknown"
    TOUCHPOINT_UNKNOWN = "touchpoint_unknown"
    JOURNEY_DISSOLVED = "journey_dissolved"
    JOURNEY_NOT_DEFINED = "journey_not_defined"
    ACCOUNT_UNKNOWN = "account_unknown"
    CURSOR_INVALID = "cursor_invalid"
    RANGE_EMPTY = "range_empty"
    STREAM_FULL = "stream_full"
    STORE_UNAVAILABLE = "store_unavailable"
    INVALID_REQUEST = "invalid_request"
    NO_SUCH_ROUTE = "no_such_route"
    METHOD_NOT_ALLOWED = "method_not_allowed"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    status: int
    en: str
    ko: str


_SAID: Final = {
    ReadRefusal.KEY_MISSING: _Said(
        status=401,
        en="Send a reader, agent or admin key: `Authorization: Bearer wm_reader_…`.",
        ko="조회 키를 보내 주세요: `Authorization: Bearer wm_reader_…` (reader, agent, admin).",
    ),
    ReadRefusal.KEY_INVALID: _Said(
        status=401,
        en="This key is unknown, expired or revoked. An operator makes one with `waymark keys create --role reader`.",
        ko="알 수 없거나 만료되었거나 취소된 키입니다. 운영자가 `waymark keys create --role reader`로 발급합니다.",
    ),
    ReadRefusal.KEY_OF_A_SOURCE: _Said(
        status=403,
        en="This is a producer's key: it may send touchpoints, not read. Use a reader, agent or admin key.",
        ko="이 키는 전송 전용 출처 키라서 조회할 수 없습니다. reader, agent, admin 키를 사용해 주세요.",
    ),
    ReadRefusal.KEYS_UNVERIFIABLE: _Said(
        status=503,
        en="Keys cannot be checked at the moment. Try again shortly.",
        ko="지금은 키를 확인할 수 없습니다. 잠시 후 다시 시도해 주세요.",
    ),
    ReadRefusal.ONLY_INGEST_ASKS: _Said(
        status=401,
        en="Only ingest asks here: WAYMARK_INGEST_OUTCOMES_SECRET and WAYMARK_JOURNEY_API_OUTCOMES_SECRET must be set, "
        "and the same.",
        ko="ingest만 조회하는 주소입니다. WAYMARK_INGEST_OUTCOMES_SECRET과 WAYMARK_JOURNEY_API_OUTCOMES_SECRET을 "
        "같은 값으로 설정해 주세요.",
    ),
    ReadRefusal.ADMIN_NEEDED: _Said(
        status=403,
        en="Who is who, and the rules, are changed with an admin key: `waymark keys create --role admin`.",
        ko="고객 식별이나 규칙을 바꾸려면 admin 키가 필요합니다: `waymark keys create --role admin`.",
    ),
    ReadRefusal.PAIR_MALFORMED: _Said(
        status=400,
        en="Write each identifier as `type:value`, for example `email:ann@example.com`; a customer id is none.",
        ko="식별자는 `유형:값`(예: `email:ann@example.com`)으로 씁니다. 고객 ID는 식별자가 아닙니다.",
    ),
    ReadRefusal.CUSTOMERS_BUSY: _Said(
        status=409,
        en="These customers kept changing meanwhile, so nothing was written. Send the same request again.",
        ko="그 사이 고객이 계속 바뀌어 아무것도 기록하지 않았습니다. 같은 요청을 다시 보내 주세요.",
    ),
    ReadRefusal.TOO_MANY_CONNECTED: _Said(
        status=409,
        en="More identifiers are connected here than are settled at once. Separate one that many people share first.",
        ko="여기에 연결된 식별자가 한 번에 다룰 수 있는 수를 넘습니다. 여럿이 함께 쓰는 식별자를 먼저 분리하세요.",
    ),
    ReadRefusal.NO_RULES_YET: _Said(
        status=503,
        en="No worker has stored its rules in this database yet: start one (`waymark serve journey`), then try again.",
        ko="이 데이터베이스에 규칙을 저장한 작업자가 아직 없습니다. `waymark serve journey`로 시작해 주세요.",
    ),
    ReadRefusal.RULE_UNKNOWN: _Said(
        status=404,
        en="There is no rule with this id in that version. `GET /v1/rules` lists them.",
        ko="그 버전에 이 ID의 규칙이 없습니다. `GET /v1/rules`에서 목록을 볼 수 있습니다.",
    ),
    ReadRefusal.RULES_UNSOUND: _Said(
        status=422,
        en="These rules cannot be used, and nothing was changed. `POST /v1/rules/check` names every mistake.",
        ko="사용할 수 없는 규칙이라 아무것도 바꾸지 않았습니다. `POST /v1/rules/check`가 잘못된 곳을 모두 알려 줍니다.",
    ),
    ReadRefusal.RULES_OF_CASES_MISSING: _Said(
        status=422,
        en="These cases name a rules file of their own. Send it with them as `text`; no file is opened here.",
        ko="이 사례에는 따로 쓰는 규칙 파일이 적혀 있습니다. 서버는 파일을 열지 않으니 `text`로 함께 보내 주세요.",
    ),
    ReadRefusal.RULES_VERSION_UNKNOWN: _Said(
        status=404,
        en="There is no such version of the rules. `GET /v1/rules/history` lists them.",
        ko="그런 규칙 버전이 없습니다. `GET /v1/rules/history`에서 목록을 볼 수 있습니다.",
    ),
    ReadRefusal.IDENTITY_UNSOUND: _Said(
        status=422,
        en="This policy cannot be used, and nothing was changed. `POST /v1/identity/policy/check` names every mistake.",
        ko="사용할 수 없는 식별 정책이라 아무것도 바꾸지 않았습니다. "
        "`POST /v1/identity/policy/check`가 잘못된 곳을 모두 알려 줍니다.",
    ),
    ReadRefusal.IDENTITY_VERSION_UNKNOWN: _Said(
        status=404,
        en="There is no such version of the policy of identity. `GET /v1/identity/policy/history` lists them.",
        ko="그런 식별 정책 버전이 없습니다. `GET /v1/identity/policy/history`에서 목록을 볼 수 있습니다.",
    ),
    ReadRefusal.REHEARSAL_BUSY: _Said(
        status=409,
        en="Another policy is being tried at the moment. Send the same request again in some seconds.",
        ko="지금 다른 정책을 시험하고 있습니다. 몇 초 뒤에 같은 요청을 다시 보내 주세요.",
    ),
    ReadRefusal.REHEARSAL_TOO_LARGE: _Said(
        status=409,
        en="More touchpoints are stored than are tried over HTTP. Use `waymark identity simulate --policy FILE`.",
        ko="저장된 접점이 HTTP로 시험할 수 있는 수를 넘습니다. "
        "`waymark identity simulate --policy FILE`을 사용해 주세요.",
    ),
    ReadRefusal.NOTHING_TO_TRY: _Said(
        status=404,
        en="There is nothing to try: the file neither changes nor switches on any rule, or nothing is in the shadow.",
        ko="시험할 규칙이 없습니다. 파일이 바꾸거나 켜는 규칙이 없거나, 그림자에 규칙이 없습니다.",
    ),
    ReadRefusal.TRIALS_OFF: _Said(
        status=403,
        en="No trials are run here (WAYMARK_JOURNEY_API_TRIAL_PROCESSES). `waymark rules backtest` does the same.",
        ko="여기서는 시험을 실행하지 않습니다(WAYMARK_JOURNEY_API_TRIAL_PROCESSES). `waymark rules backtest`를 쓰세요.",
    ),
    ReadRefusal.TRIAL_RUNNING: _Said(
        status=409,
        en="Another trial is running here. Try again when it has ended.",
        ko="다른 시험이 실행 중입니다. 끝난 뒤에 다시 시도해 주세요.",
    ),
    ReadRefusal.TRIAL_TOO_LONG: _Said(
        status=503,
        en="The trial took too long (WAYMARK_JOURNEY_API_TRIAL_LIMIT_S). Take a shorter time, or the command line.",
        ko="시험이 너무 오래 걸렸습니다(WAYMARK_JOURNEY_API_TRIAL_LIMIT_S). 기간을 줄이거나 명령줄을 쓰세요.",
    ),
    ReadRefusal.TRIAL_PROCESS_ENDED: _Said(
        status=503,
        en="A process ended before its work was done, perhaps for want of memory. Nothing was changed.",
        ko="프로세스가 작업을 마치기 전에 끝났습니다. 메모리가 부족했을 수 있습니다. 바뀐 것은 없습니다.",
    ),
    ReadRefusal.IDENTIFIER_MALFORMED: _Said(
        status=400,
        en="A customer is named as `type:value`, URL-encoded, for example `phone:%2B821012345678`, or by the customer "
        "id alone; this is neither, or the value does not have the form of its type.",
        ko="고객은 URL 인코딩한 `유형:값`(예: `phone:%2B821012345678`)이나 고객 ID로 지정합니다. "
        "형식이 다르거나 값이 그 유형에 맞지 않습니다.",
    ),
    ReadRefusal.IDENTIFIER_BLOCKED: _Said(
        status=400,
        en="This value is on the list of blocked values (placeholders that many people share): it names nobody.",
        ko="여러 사람이 함께 쓰는 값으로 차단 목록에 있어 특정 고객을 가리키지 않습니다.",
    ),
    ReadRefusal.CUSTOMER_UNKNOWN: _Said(
        status=404,
        en="No touchpoint with this identifier has been seen. Check its type and value (phone numbers with country "
        "code); a touchpoint sent a moment ago appears within seconds.",
        ko="이 식별자를 가진 접점이 아직 없습니다. 유형과 값(전화번호는 국가 번호 포함)을 확인해 주세요. "
        "방금 보낸 접점은 몇 초 안에 나타납니다.",
    ),
    ReadRefusal.IDENTIFIER_OF_MANY: _Said(
        status=404,
        en="Several customers have this identifier, so it names none of them. `GET /v1/identity/why?one=…` tells who; "
        "ask for one of them by another identifier.",
        ko="여러 고객이 이 식별자를 함께 써서 한 고객을 가리킬 수 없습니다. `GET /v1/identity/why?one=…`로 누구인지 "
        "보고 다른 식별자로 조회해 주세요.",
    ),
    ReadRefusal.CUSTOMER_MOVED: _Said(
        status=410,
        en="This identifier belongs to another customer than when you began. Start again without a cursor.",
        ko="조회를 시작한 뒤 이 식별자가 다른 고객에게 속하게 되었습니다. 커서 없이 다시 시작해 주세요.",
    ),
    ReadRefusal.JOURNEY_UNKNOWN: _Said(
        status=404,
        en="There is no journey with this id.",
        ko="해당 ID의 여정이 없습니다.",
    ),
    ReadRefusal.TOUCHPOINT_UNKNOWN: _Said(
        status=404,
        en="No touchpoint of this source and id is stored.",
        ko="이 소스와 ID의 접점이 저장되어 있지 않습니다.",
    ),
    ReadRefusal.JOURNEY_DISSOLVED: _Said(
        status=410,
        en="This journey was dissolved: later touchpoints or a corrected identity showed that it was none.",
        ko="이 여정은 해체되었습니다. 나중에 온 접점이나 정정된 고객 정보로 여정이 아님이 밝혀졌습니다.",
    ),
    ReadRefusal.ACCOUNT_UNKNOWN: _Said(
        status=404,
        en="No touchpoint names this account in `refs.account_id`.",
        ko="`refs.account_id`에 이 계정이 있는 접점이 없습니다.",
    ),
    ReadRefusal.JOURNEY_NOT_DEFINED: _Said(
        status=404,
        en="No kind of journey has this id. `GET /v1/funnels` and `waymark journeys show` list those that are defined; "
        "`waymark journeys apply retail` defines the first ones.",
        ko="이 ID로 정의된 여정이 없습니다. `GET /v1/funnels`나 `waymark journeys show`에서 정의된 여정을 볼 수 있고, "
        "`waymark journeys apply retail`로 처음 정의할 수 있습니다.",
    ),
    ReadRefusal.CURSOR_INVALID: _Said(
        status=400,
        en="This cursor cannot be used here. Send back `next_cursor` unchanged, with the same filters, or start again "
        "without one.",
        ko="이 커서는 사용할 수 없습니다. `next_cursor`를 그대로, 같은 필터와 함께 보내거나 "
        "커서 없이 다시 시작해 주세요.",
    ),
    ReadRefusal.RANGE_EMPTY: _Said(
        status=400,
        en="`from` must lie before `to`.",
        ko="`from`은 `to`보다 앞서야 합니다.",
    ),
    ReadRefusal.STREAM_FULL: _Said(
        status=503,
        en="Too many streams are open here. Close one, or try again shortly.",
        ko="열려 있는 스트림이 너무 많습니다. 하나를 닫거나 잠시 후 다시 시도해 주세요.",
    ),
    ReadRefusal.STORE_UNAVAILABLE: _Said(
        status=503,
        en="The database does not answer at the moment. Nothing is lost; try again shortly.",
        ko="지금은 데이터베이스가 응답하지 않습니다. 유실된 것은 없으니 잠시 후 다시 시도해 주세요.",
    ),
    ReadRefusal.INVALID_REQUEST: _Said(
        status=422,
        en="The request does not have the expected form; `errors` names each field.",
        ko="요청 형식이 올바르지 않습니다. `errors`에서 각 필드를 확인해 주세요.",
    ),
    ReadRefusal.NO_SUCH_ROUTE: _Said(
        status=404,
        en="There is nothing at this address; /docs lists what there is.",
        ko="이 주소에는 아무것도 없습니다. /docs에서 목록을 볼 수 있습니다.",
    ),
    ReadRefusal.METHOD_NOT_ALLOWED: _Said(
        status=405,
        en="This address does not take that method; see the Allow header.",
        ko="이 주소는 그 메서드를 받지 않습니다. Allow 헤더를 확인해 주세요.",
    ),
}


def refuse(refusal: ReadRefusal, accept_language: str | None) -> Problem:
    """Return the problem document of `refusal` in the language that the caller prefers."""
    said = _SAID[refusal]
    language = preferred_language(accept_language or "")
    headers = {"Content-Language": language, "Vary": "Accept-Language"}
    if said.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="waymark"'
    if said.status == 503:
        headers["Retry-After"] = "5"
    return Problem(said.status, str(refusal), said.ko if language is Language.KO else said.en, headers=headers)


def status_of(refusal: ReadRefusal) -> int:
    """Return the HTTP status of `refusal`."""
    return _SAID[refusal].status
