"""The faults that a CloudEvent can have, with the fix in English and Korean. No sentence quotes a value."""

import re
from enum import Enum

from schemas.validation import ErrorCode, FieldError

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


class EventFault(Enum):
    """One kind of mistake: its code and the sentence in both languages."""

    MISSING = (
        ErrorCode.MISSING,
        "Send this attribute; every CloudEvent has it, and it is not empty.",
        "이 속성을 보내 주세요. 모든 CloudEvent에 있어야 하고 비어 있으면 안 됩니다.",
    )
    EMPTY = (
        ErrorCode.TOO_SHORT,
        "Leave this attribute out, or give it a value that is not empty.",
        "이 속성을 빼거나 비어 있지 않은 값을 보내 주세요.",
    )
    SPEC_VERSION = (
        ErrorCode.NOT_ALLOWED,
        'Send specversion "1.0"; no other version of CloudEvents is read here.',
        'specversion은 "1.0"으로 보내 주세요. 다른 버전의 CloudEvents는 읽지 않습니다.',
    )
    NAME = (
        ErrorCode.UNKNOWN_FIELD,
        "Name attributes with lower-case letters a-z and digits only; `data` is no attribute.",
        "속성 이름에는 영문 소문자 a-z와 숫자만 쓰고 `data`는 쓰지 마세요.",
    )
    CONTENT_TYPE_TWICE = (
        ErrorCode.CONFLICT,
        "Leave `ce-datacontenttype` out; in binary mode the header Content-Type says it.",
        "`ce-datacontenttype`은 빼 주세요. 바이너리 모드에서는 Content-Type 헤더가 대신합니다.",
    )
    TEXT = (
        ErrorCode.TYPE,
        "Send text.",
        "문자열로 보내 주세요.",
    )
    EXTENSION_TYPE = (
        ErrorCode.TYPE,
        "Send an extension as text, true or false, or a whole number; lists and objects belong in `data`.",
        "확장 속성은 문자열, true/false, 정수로 보내 주세요. 목록이나 객체는 `data`에 넣어 주세요.",
    )
    INTEGER = (
        ErrorCode.RANGE,
        "Send a whole number of 32 bits, or the number as text.",
        "32비트 정수로 보내거나 숫자를 문자열로 보내 주세요.",
    )
    CHARACTERS = (
        ErrorCode.FORMAT,
        "Send text without control characters and without code points that are no characters.",
        "제어 문자와 문자가 아닌 코드 포인트를 빼고 보내 주세요.",
    )
    ENCODING = (
        ErrorCode.FORMAT,
        "Percent-encode the header's value as UTF-8: a space is %20, a percent sign %25.",
        "헤더 값을 UTF-8 퍼센트 인코딩으로 보내 주세요. 공백은 %20, 퍼센트 기호는 %25입니다.",
    )
    URI_REFERENCE = (
        ErrorCode.FORMAT,
        "Send a URI reference (RFC 3986) such as /crm/seoul or https://crm.example; percent-encode other characters.",
        "/crm/seoul, https://crm.example 같은 URI 참조(RFC 3986)로 보내고 다른 문자는 퍼센트 인코딩해 주세요.",
    )
    URI = (
        ErrorCode.FORMAT,
        "Send an absolute URI (RFC 3986) without a fragment, such as https://schemas.example/contact/1.",
        "https://schemas.example/contact/1처럼 프래그먼트 없는 절대 URI(RFC 3986)로 보내 주세요.",
    )
    TIMESTAMP = (
        ErrorCode.FORMAT,
        "Send RFC 3339 with seconds and an offset in hours and minutes: 2026-11-22T09:15:00+09:00.",
        "초와 시간대(시:분)가 있는 RFC 3339 형식으로 보내 주세요. 예: 2026-11-22T09:15:00+09:00.",
    )
    MEDIA_TYPE = (
        ErrorCode.FORMAT,
        "Send a media type (RFC 2046) such as application/json.",
        "application/json 같은 미디어 타입(RFC 2046)으로 보내 주세요.",
    )
    BASE64 = (
        ErrorCode.FORMAT,
        "Send base64 (RFC 4648 section 4), with its padding and nothing else.",
        "채움 문자까지 온전한 base64(RFC 4648 4절)로 보내 주세요.",
    )
    DATA_TWICE = (
        ErrorCode.CONFLICT,
        "Send either `data` or `data_base64`, not both.",
        "`data`와 `data_base64` 가운데 하나만 보내 주세요.",
    )
    DATA_NOT_TEXT = (
        ErrorCode.TYPE,
        "With a datacontenttype that is not JSON, send `data` as text, or binary content as `data_base64`.",
        "datacontenttype이 JSON이 아니면 `data`를 문자열로, 바이너리는 `data_base64`로 보내 주세요.",
    )
    DATA_NOT_JSON = (
        ErrorCode.FORMAT,
        "Send `data` as JSON in UTF-8, and say so: datacontenttype (in binary mode Content-Type) application/json.",
        "`data`를 UTF-8 JSON으로 보내고 datacontenttype(바이너리 모드는 Content-Type)을 "
        "application/json으로 적어 주세요.",
    )
    DATA_NOT_TOUCHPOINT = (
        ErrorCode.TYPE,
        "With this type, `data` is a touchpoint: a JSON object.",
        "이 type에서는 `data`가 접점(JSON 객체)이어야 합니다.",
    )
    IDENTITY_TYPE = (
        ErrorCode.FORMAT,
        "Say in `identitytype` what `identity` is: email, phone, customer_id …",
        "`identity`가 무엇인지 `identitytype`에 적어 주세요: email, phone, customer_id 등.",
    )
    SEQUENCE = (
        ErrorCode.FORMAT,
        "Send `sequence` as digits, at most 15 of them.",
        "`sequence`는 15자리 이하의 숫자로 보내 주세요.",
    )


def field_error(path: str, kind: EventFault) -> FieldError:
    """Return the error for the attribute or header at `path`; a name that is not plain is not shown."""
    code, message, message_ko = kind.value
    shown = path if _PLAIN_NAME.fullmatch(path) else "*"
    return FieldError(path=shown, code=code, message=message, message_ko=message_ko)
