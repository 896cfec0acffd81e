"""The types of CloudEvents attributes, each judged by the section of the specification or RFC that defines it.

A function returns the `EventFault` of a value, or the value's meaning. Times are returned in the one spelling of RFC
3339 that the contract takes: capitals, at most nine digits, no leap second.
"""

import re
from datetime import datetime, timedelta
from typing import Final

from services.ingest.forms.cloudevents.event_faults import EventFault

_NOT_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef]")
"""Section "Type System": controls, surrogates, and the noncharacters of the basic plane but for its last two."""

_PCHAR = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})"
_NO_COLON = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=@]|%[0-9A-Fa-f]{2})"
_USER = _PCHAR.replace("@", "")
_HOST = rf"(?:\[[0-9A-Fa-f:.]+\]|\[[vV][0-9A-Fa-f]+\.{_USER}+\]|{_NO_COLON.replace('@', '')}*)"
_AUTHORITY = rf"(?:{_USER}*@)?{_HOST}(?::[0-9]*)?"
_TAIL = rf"(?:/{_PCHAR}*)*"
_QUERY = rf"(?:\?(?:{_PCHAR}|[/?])*)?"
_FRAGMENT = rf"(?:\#(?:{_PCHAR}|[/?])*)?"
_SCHEME = r"[A-Za-z][A-Za-z0-9+.\-]*:"

_ABSOLUTE = rf"{_SCHEME}(?://{_AUTHORITY}{_TAIL}|/?(?:{_PCHAR}+{_TAIL})?){_QUERY}"
_RELATIVE = rf"(?://{_AUTHORITY}{_TAIL}|/(?:{_PCHAR}+{_TAIL})?|{_NO_COLON}+{_TAIL})?{_QUERY}"
_URI = re.compile(_ABSOLUTE)
_URI_REFERENCE = re.compile(rf"(?:{_ABSOLUTE}|{_RELATIVE}){_FRAGMENT}")
"""RFC 3986 appendix A; the inside of an IPv6 address is not looked at."""

_TOKEN = r"[A-Za-z0-9!#$%&'*+\-.^_`{|}~]+"  # noqa: S105  a token of RFC 2045, no secret
_MEDIA_TYPE = re.compile(
    rf'({_TOKEN}/{_TOKEN})((?:[ \t]*;[ \t]*{_TOKEN}=(?:{_TOKEN}|"(?:[^"\\\r\n]|\\.)*"))*)[ \t]*;?[ \t]*'
)
_CHARSET = re.compile(r';[ \t]*charset="?([^";\s]*)', re.IGNORECASE)

_TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]((?:[01][0-9]|2[0-3]):[0-5][0-9]):([0-5][0-9]|60)(\.[0-9]+)?"
    r"([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_LEAP_SECOND: Final = "60"
_MOST_DIGITS: Final = 9

_NAME = re.compile(r"[a-z0-9]+")

MIN_INTEGER: Final = -(1 << 31)
MAX_INTEGER: Final = (1 << 31) - 1


def is_name(name: str) -> bool:
    """Return whether an attribute may be called so (section "Naming Conventions"; its 20 characters are advice)."""
    return _NAME.fullmatch(name) is not None and name != "data"


def text(value: str) -> EventFault | None:
    """Return the fault of a String, or None."""
    if value.isascii():
        return None if value.isprintable() else EventFault.CHARACTERS
    if _NOT_TEXT.search(value) or any(ord(character) & 0xFFFE == 0xFFFE for character in value):
        return EventFault.CHARACTERS
    return None


def uri_reference(value: str) -> EventFault | None:
    """Return the fault of a URI-reference, or None."""
    return None if _URI_REFERENCE.fullmatch(value) else EventFault.URI_REFERENCE


def uri(value: str) -> EventFault | None:
    """Return the fault of a URI, or None: it is absolute by RFC 3986 section 4.3, which knows no fragment."""
    return None if _URI.fullmatch(value) else EventFault.URI


def media_type(value: str) -> EventFault | None:
    """Return the fault of a media type, or None."""
    return None if _MEDIA_TYPE.fullmatch(value) else EventFault.MEDIA_TYPE


def is_json(media_type_: str) -> bool:
    """Return whether a media type declares JSON: `*/json` or `*/*+json`, in a character set that JSON is written in."""
    essence = media_type_.partition(";")[0].strip().lower()
    subtype = essence.partition("/")[2]
    if subtype != "json" and not subtype.endswith("+json"):
        return False
    charset = _CHARSET.search(media_type_)
    return charset is None or charset[1].lower() in {"utf-8", "utf8", "us-ascii"}


def timestamp(value: str) -> str | EventFault:
    """Judge a Timestamp and return it as the contract spells it; a leap second counts as the second after it."""
    match = _TIMESTAMP.fullmatch(value)
    if match is None:
        return EventFault.TIMESTAMP
    day, minute, second, fraction, offset = match.groups()
    leap = second == _LEAP_SECOND
    offset = offset.upper()
    try:
        moment = datetime.fromisoformat(f"{day}T{minute}:{'59' if leap else second}{offset}")
        if leap:
            moment = _after_leap_second(moment)
    except (ValueError, OverflowError):
        return EventFault.TIMESTAMP
    digits = (fraction or "")[: _MOST_DIGITS + 1]
    return moment.replace(tzinfo=None).isoformat() + digits + offset


def _after_leap_second(moment: datetime) -> datetime:
    """Return the second after; leap seconds stand at the end of a month in UTC (RFC 3339 section 5.7)."""
    after = moment + timedelta(seconds=1)
    utc = (after - (after.utcoffset() or timedelta())).replace(tzinfo=None)
    if (utc.day, utc.hour, utc.minute, utc.second) != (1, 0, 0, 0):
        raise ValueError
    return after
