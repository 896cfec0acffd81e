"""Spells telephone numbers as E.164, with the extension where there is one (`+82271350410;ext=12`).

The library reads numbers; this module adds what it leaves open: foreign international prefixes, extensions in more
languages than it knows, and lines that name a company and nobody in it. Pure. Texts come in NFKC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberType

EXTENSION = ";ext="
"""Between a switchboard's number and the extension, as RFC 3966 has it."""

_PERSONAL_LINES = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.MOBILE,
        PhoneNumberType.PERSONAL_NUMBER,
        PhoneNumberType.VOIP,
    }
)
"""Types of number that a customer can have. The others are companies: 1588-xxxx, 080, 060."""

_SHORTEST_SUBSCRIBER = 7
"""Digits after the country code below which a number is a service's (114, 120), not a subscriber's."""

_WORDS = (
    r"ext(?:ension|n)?\.?(?:\s*no\.?)?|내선(?:\s*번호)?|구내(?:\s*(?:번호|전화))?|교환(?:\s*(?:번호|실))?"
    r"|内線(?:番号)?|内线|分机(?:号)?|分機(?:號)?|转|轉"
)
_EXTENSION = re.compile(
    rf"(?P<line>.*?\d[^\d]*?)[\s,;(\[]*"
    rf"(?:;\s*(?:ext|isub|postd)\s*=\s*[pw,]*|(?:{_WORDS})\s*[:.#=]?|\bx|(?<=[\d\s)])x|#|[,pw]+(?<![^,pw]))"
    rf"\s*(?P<digits>\d{{1,15}})\s*번?[#)\]]*(?P<rest>;.*)?",
    re.IGNORECASE | re.DOTALL,
)
_COMPANY = re.compile(
    rf"[\s(\[]*(?:대표\s*(?:번호|전화)?|代表)\W*.*|.*\d[\s,(\[]*(?:대표\s*(?:번호|전화)?|代表|(?:{_WORDS}))[\s:.)\]]*"
    r"|.*\d\s*~\s*\d+\W*",
    re.IGNORECASE | re.DOTALL,
)
"""A line that is said to be the company's own, an extension that is not said, or a range of lines (02-7135-0410~3)."""

_CONTEXT = re.compile(r";\s*phone-context=[^;]+", re.IGNORECASE)
_TWO_LINES = re.compile(r".*?(?P<one>\d+)\s*,\s*(?P<other>\d+)\s*")
_AFTER_PLUS = re.compile(r"[^\d+]*\+[\s(]*0+")
_ZEROS = re.compile(r"[^\d+]*(?P<zeros>00{1,2})(?=[\s().-]*[1-9])")
_TRUNK_ZERO = re.compile(r"\(\s*0\s*\)")
_GROUP = re.compile(r"\d+")
_FEWEST_DIGITS = 7


DigitGroups = tuple[str, ...]
"""Digits of a text, as they stand together."""


class PhoneRejection(StrEnum):
    """Why a text is not a customer's telephone number."""

    SERVICE = "service"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """A number that a text may stand for, and how many digits of the text are prefix and country code."""

    number: PhoneNumber
    prefix: int

    @property
    def spelt(self) -> str:
        """The number in E.164."""
        return phonenumbers.format_number(self.number, phonenumbers.PhoneNumberFormat.E164)

    def is_written_as(self, groups: DigitGroups) -> bool:
        """Whether `groups` are those in which this number is usually written, the prefix apart or at the first one."""
        usual = phonenumbers.format_number(self.number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
        left = ["".join(groups)[: self.prefix], *_GROUP.findall(usual)]
        given = [*groups[:1], *(group.lstrip("0") for group in groups[1:])]
        return given in (left, [left[0] + left[1], *left[2:]])

    def begins_as(self, groups: DigitGroups) -> bool:
        """Whether the prefix, or the country code after it, ends where one of `groups` does."""
        ends = set(accumulate(map(len, groups[:-1])))
        return not ends.isdisjoint({self.prefix, self.prefix + len(str(self.number.country_code))})


def spell(text: str, region: str) -> str | PhoneRejection:
    """Return the one spelling of the number in `text`; without a country code it is one of `region`."""
    line, extension = _apart(text)
    if extension == "" or (extension and not extension.strip("0")):
        return PhoneRejection.SERVICE
    number = _read(line, region)
    if number is None:
        return PhoneRejection.INVALID
    reason = _why_no_customer(number, international=line.lstrip(" (").startswith("+"))
    if reason is not None:
        return reason
    extension = extension or number.extension
    number.extension = None
    spelt = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return f"{spelt}{EXTENSION}{extension}" if extension else spelt


def without_extension(spelt: str) -> str:
    """Return a spelt number without its extension: the switchboard's."""
    return spelt.partition(EXTENSION)[0]


def _apart(text: str) -> tuple[str, str | None]:
    """Return the line and its extension: None where there is none, empty where the line is the company's own."""
    two = _TWO_LINES.fullmatch(text)
    if two is not None and len(two["one"]) == len(two["other"]):  # 02-7135-0410,0411: lines of one company
        return text, ""
    found = _EXTENSION.fullmatch(text)
    if found is not None and sum(map(str.isdigit, found["line"])) >= _FEWEST_DIGITS:
        context = _CONTEXT.search(found["rest"] or "")
        return found["line"] + (context[0] if context is not None else ""), found["digits"]
    return text, "" if _COMPANY.fullmatch(text) else None


def _read(line: str, region: str) -> PhoneNumber | None:
    """Return the number: by the dialling plan of `region`, or with its first zeros for the plus that they stand for.

    Where both are numbers and not the same one, the groups in which it is written decide (`001-65-…` or `00 1 65…`);
    where they do not, nothing is guessed.
    """
    zeros = _ZEROS.match(line)
    if zeros is None:
        dialled = _parsed(line, region)
        whole = dialled is not None and phonenumbers.is_valid_number(dialled)
        return _parsed(_AFTER_PLUS.sub("+", line, count=1), region) if not whole else dialled
    plain = _TRUNK_ZERO.sub("", line)
    readings = [each for each in _readings(plain, zeros, region) if phonenumbers.is_valid_number(each.number)]
    groups = tuple(_GROUP.findall(plain))
    for narrower in (_Reading.is_written_as, _Reading.begins_as):
        if len({each.spelt for each in readings}) > 1:
            readings = [each for each in readings if narrower(each, groups)] or readings
    return readings[0].number if len({each.spelt for each in readings}) == 1 else None


def _readings(plain: str, zeros: re.Match[str], region: str) -> Iterator[_Reading]:
    dialled = _parsed(plain, region)
    digits = sum(map(str.isdigit, plain))
    if dialled is not None:
        rest = len(str(dialled.country_code)) + len(phonenumbers.national_significant_number(dialled))
        yield _Reading(number=dialled, prefix=digits - rest)
    abroad = _parsed("+" + plain[zeros.end() :], region)
    if abroad is not None:
        yield _Reading(number=abroad, prefix=len(zeros["zeros"]))


def _parsed(text: str, region: str) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except NumberParseException:
        return None


def _why_no_customer(number: PhoneNumber, *, international: bool) -> PhoneRejection | None:
    if len(str(number.national_number)) < _SHORTEST_SUBSCRIBER:
        return PhoneRejection.SERVICE
    if phonenumbers.is_valid_number(number):
        return None if phonenumbers.number_type(number) in _PERSONAL_LINES else PhoneRejection.SERVICE
    # Numbering plans change faster than the library's tables: believe a whole number of a possible length.
    return None if international and phonenumbers.is_possible_number(number) else PhoneRejection.INVALID


def known_region(text: str) -> str:
    """The code of a region whose numbering plan is known, in capitals; raises ValueError for any other."""
    region = text.upper()
    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("is no region of telephone numbers; give two letters such as KR, JP or US")
    return region
