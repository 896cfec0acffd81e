"""Reads numbers, durations, and yes or no out of a cell, as people and programs of several countries write them.

Everything raises `Unreadable`; its text ends a sentence that begins with the column, and never quotes the cell.
"""

import re

from waymark.console import say

Number = int | float

_MINUS = str.maketrans({"−": "-", "－": "-"})
_MONEY = re.compile(
    r"^(?P<sign>[+-]?)\s*(?:[₩￦$€£¥]|KRW|USD|EUR)?\s*(?P<rest>.*?)\s*(?:[₩￦$€£¥]|원|円|KRW|USD|EUR)?$"
)
_PLAIN = {
    point: re.compile(
        rf"[+-]?(?:\d{{1,3}}(?P<group>[{group}'’ \u00a0\u202f])\d{{3}}(?:(?P=group)\d{{3}})*|\d+)?"
        rf"(?P<fraction>[{point}]\d*)?(?P<power>[eE][+-]?\d+)?"
    )
    for point, group in ((".", ","), (",", "."))
}
_GROUPS = re.compile(r"[,.'’ \u00a0\u202f]")

_CLOCK = re.compile(
    r"(?P<sign>-?)(?:(?P<d>\d+)(?:\s*(?:days?|d|일|Tage?|T)[,\s]\s*|\.))?"
    r"(?:(?P<h>\d+):(?P<m2>[0-5]?\d)|(?P<m>\d+)):(?P<s>[0-5]?\d(?:[.,]\d+)?)"
)
_ISO = re.compile(
    r"(?P<sign>-?)P(?:(?P<w>\d+(?:[.,]\d+)?)W)?(?:(?P<d>\d+(?:[.,]\d+)?)D)?"
    r"(?:T(?:(?P<h>\d+(?:[.,]\d+)?)H)?(?:(?P<m>\d+(?:[.,]\d+)?)M)?(?:(?P<s>\d+(?:[.,]\d+)?)S)?)?"
)
_WORD = re.compile(r"(\d+(?:[.,]\d+)?)\s*([^\W\d_]+)\.?(?:\s*,|\s+(?:and|und))?\s*")

UNITS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}
"""What a mapping may say of a bare number that is a duration: seconds in each."""

_NAMES = {
    "ms": "ms msec msecs millisecond milliseconds millisekunde millisekunden 밀리초",
    "s": "s sec secs second seconds sek sekunde sekunden 초 秒",
    "min": "m min mins minute minutes minuten 분 分 分钟 分鐘",
    "h": "h hr hrs hour hours std stunde stunden 시간 時間 小时 小時",
    "d": "d day days tag tage tagen 일 日 天",
}
_SECONDS = {word: UNITS[unit] for unit, words in _NAMES.items() for word in words.split()}

_UNITS_OF_WORDS = {word: unit for unit, words in _NAMES.items() for word in words.split()}
_TIME_ITSELF = frozenset({"시간", "時間", "小时", "小時", "일", "日", "天"})
"""Words that say how long or when something was rather than in what it is counted, unless they stand in brackets."""

_YES = frozenset(
    [
        "true",
        "t",
        "yes",
        "y",
        "1",
        "on",
        "x",
        "o",
        "ja",
        "j",
        "wahr",
        "w",
        "oui",
        "vrai",
        "si",
        "sí",
        "예",
        "네",
        "참",
        "○",
        "はい",
        "是",
        "✓",
    ]
)
_NO = frozenset(
    [
        "false",
        "f",
        "no",
        "n",
        "0",
        "off",
        "nein",
        "falsch",
        "non",
        "faux",
        "아니오",
        "아니요",
        "아니",
        "거짓",
        "×",
        "いいえ",
        "否",
        "-",
    ]
)
_ROUND_OR_CROSS = {"o": True, "x": False}
"""In Korea and Japan a circle says yes and a cross says no; alone, a cross marks."""


class UnreadableCellError(ValueError):
    """A cell that cannot be read as the type that the mapping names."""

    def __init__(self, english: str, korean: str) -> None:
        super().__init__(say(english, korean))


def read_number(text: str, *, decimal: str = ".", integer: bool = False) -> Number:
    """Return the number that a cell says, with its thousands grouped or not, and a mark of its currency or not.

    `decimal` is the sign before the fraction, `.` or `,`; the other one groups.
    """
    money = _MONEY.match(text.strip().translate(_MINUS))
    bare = (money["sign"] + money["rest"]) if money else ""
    found = _PLAIN[decimal].fullmatch(bare)
    if found is None or not any(character.isdigit() for character in bare):
        raise _not_a_number(bare, decimal)
    whole, point, fraction = bare.partition(decimal)
    plain = _GROUPS.sub("", whole) + (f".{fraction}" if point else "")
    if not found["fraction"] and not found["power"]:
        return int(plain)
    value = float(plain)
    if integer and not value.is_integer():
        raise UnreadableCellError("is not a whole number", "값이 정수가 아닙니다")
    if abs(value) == float("inf"):
        raise _not_a_number("", decimal)
    return int(value) if value.is_integer() else value


def read_duration(text: str, *, unit: float = 1, decimal: str = ".") -> Number:
    """Return seconds: of a clock (`00:02:23`, `2:23` are hours, minutes and seconds), of ISO 8601 (`PT2M23S`), of words
    (`2 min 23 s`, `2분 23초`), or of a bare number, which counts `unit` seconds each."""
    bare = text.strip().translate(_MINUS)
    seconds = _by_parts(_CLOCK.fullmatch(bare))
    if seconds is None:
        seconds = _by_parts(_ISO.fullmatch(bare.upper()))
    if seconds is None:
        seconds = _by_words(bare)
    if seconds is None:
        try:
            seconds = read_number(bare, decimal=decimal) * unit
        except UnreadableCellError as error:
            if bare[:1].isdigit() and _other(decimal) in bare:
                raise
            raise UnreadableCellError(
                "is not a duration: not a number, nor like 00:02:23, PT2M23S or 2 min",
                "값이 소요 시간이 아닙니다. 숫자, 00:02:23, PT2M23S, 2분 23초 중 하나여야 합니다",
            ) from error
    exact = round(seconds, 6)
    return int(exact) if float(exact).is_integer() else exact


def unit_named(column: str) -> str | None:
    """Return the unit that the name of a column ends with: `min` of `이용시간(분)`, `talk_minutes`, `Dauer [Min.]`."""
    words = re.findall(r"[^\W\d_]+", column)
    if len(words) < 2 or (words[-1] in _TIME_ITSELF and not column.rstrip().endswith((")", "]", "）"))):
        return None
    return _UNITS_OF_WORDS.get(words[-1].casefold())


def read_boolean(text: str) -> bool:
    """Return what `true`, `Y`, `1`, `예`, `ja`, `O` and the like, or their contraries, say."""
    word = text.strip().casefold()
    if word in _ROUND_OR_CROSS:
        return _ROUND_OR_CROSS[word]
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise UnreadableCellError("is neither yes nor no", "값이 예도 아니오도 아닙니다")


def _not_a_number(bare: str, decimal: str) -> UnreadableCellError:
    other = _other(decimal)
    if _PLAIN[other].fullmatch(bare) and any(character.isdigit() for character in bare):
        return UnreadableCellError(
            f'is not a number with "{decimal}" before its fraction; say `decimal: "{other}"` in the mapping',
            f'소수점이 "{decimal}"인 숫자가 아닙니다. 대응 파일에 `decimal: "{other}"`를 적으세요',
        )
    return UnreadableCellError("is not a number", "값이 숫자가 아닙니다")


def _other(decimal: str) -> str:
    return "," if decimal == "." else "."


def _by_parts(found: re.Match[str] | None) -> float | None:
    """Return the seconds of what matched; None where nothing did, or no part of it."""
    if found is None:
        return None
    parts = found.groupdict()
    sign = -1 if parts.pop("sign") else 1
    given = {name[0]: float(value.replace(",", ".")) for name, value in parts.items() if value}
    if not given:
        return None
    sizes = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}
    total = sum(sizes[name] * value for name, value in given.items())
    return sign * total


def _by_words(bare: str) -> float | None:
    total, at = 0.0, 0
    while found := _WORD.match(bare, at):
        size = _SECONDS.get(found[2].casefold())
        if size is None:
            return None
        total += float(found[1].replace(",", ".")) * size
        at = found.end()
    return total if at and at == len(bare) else None
