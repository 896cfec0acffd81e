"""Titles and explanations of findings: templates with named placeholders, filled in English and in Korean.

A template is plain text with placeholders in braces. Only the names below are allowed, so a rules file can neither
reach into the program nor print anything that points to a person.
"""

from collections.abc import Callable, Mapping
from functools import partial
from string import Formatter

from services.journey.domain.friction import BilingualText, Number, RuleFinding
from services.journey.domain.rules.matching import InvalidRuleError
from services.journey.domain.rules.shape import AbsenceShape, AnyRule, CountShape, SequenceShape, ThresholdShape

Fill = Callable[[RuleFinding, str], str]
"""Returns the text for one placeholder of a finding, in a language."""

_UNITS = {
    "en": (
        (86_400, " day", " days"),
        (3_600, " hour", " hours"),
        (60, " minute", " minutes"),
        (1, " second", " seconds"),
    ),
    "ko": ((86_400, "일", "일"), (3_600, "시간", "시간"), (60, "분", "분"), (1, "초", "초")),
}

_CHANNELS = {
    "web": ("web", "웹"),
    "app": ("app", "앱"),
    "phone": ("phone", "전화"),
    "ivr": ("IVR", "ARS"),
    "chat": ("chat", "채팅"),
    "email": ("e-mail", "이메일"),
    "sms": ("text message", "문자"),
    "social": ("social media", "소셜 미디어"),
    "messenger": ("messenger", "메신저"),
    "store": ("store", "매장"),
    "kiosk": ("kiosk", "키오스크"),
    "field": ("field service", "방문 서비스"),
    "device": ("device", "기기"),
    "mail": ("mail", "우편"),
    "api": ("API", "API"),
}

_UNKNOWN = {"en": "not known", "ko": "알 수 없음"}


def duration(seconds: float, language: str) -> str:
    """Return `seconds` in words, in the two largest units: "6 minutes 52 seconds", "6분 52초"."""
    rest = int(seconds)
    words = []
    for size, one, many in _UNITS[language]:
        number, rest = divmod(rest, size)
        if number:
            words.append(f"{number}{one if number == 1 else many}")
    return " ".join(words[:2]) or f"0{_UNITS[language][-1][2]}"


def _number(value: Number) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return str(value)


def _plain(name: str, finding: RuleFinding, language: str) -> str:
    return _number(finding.evidence.get(name, _UNKNOWN[language]))


def _time(name: str, finding: RuleFinding, language: str) -> str:
    value = finding.evidence.get(name)
    return duration(value, language) if isinstance(value, int | float) else _UNKNOWN[language]


def _channel(finding: RuleFinding, language: str) -> str:
    names = _CHANNELS.get(finding.at.channel, (finding.at.channel, finding.at.channel))
    return names[1 if language == "ko" else 0]


def _reason(finding: RuleFinding, language: str) -> str:
    return finding.reason or _UNKNOWN[language]


def _due_at(finding: RuleFinding, language: str) -> str:  # noqa: ARG001 - one signature for all places
    return f"{finding.stale_from:%Y-%m-%d %H:%M} UTC"


_EVERYWHERE: Mapping[str, Fill] = {"channel": _channel, "reason": _reason}

PLACES: Mapping[type, Mapping[str, Fill]] = {
    CountShape: {
        **_EVERYWHERE,
        "count": partial(_plain, "count"),
        "span": partial(_time, "span_s"),
        "within": partial(_time, "within_s"),
    },
    SequenceShape: {**_EVERYWHERE, "span": partial(_time, "span_s"), "values": partial(_plain, "values")},
    ThresholdShape: {
        **_EVERYWHERE,
        "value": partial(_plain, "value"),
        "limit": partial(_plain, "limit"),
        "value_time": partial(_time, "value"),
        "limit_time": partial(_time, "limit"),
    },
    AbsenceShape: {**_EVERYWHERE, "due_at": _due_at, "waited": partial(_time, "waited_s")},
}
"""The placeholders that are allowed, by shape."""


class RuleTexts:
    """The title and the explanation of one rule, parsed once."""

    __slots__ = ("_explanation", "_title")

    def __init__(self, rule: AnyRule) -> None:
        """Parse the templates; raise `InvalidRuleError` for one that does not parse or names an unknown placeholder."""
        places = PLACES[type(rule)]
        self._title = {"en": _parsed(rule.title.en, places), "ko": _parsed(rule.title.ko, places)}
        self._explanation = {"en": _parsed(rule.explanation.en, places), "ko": _parsed(rule.explanation.ko, places)}

    def title(self, finding: RuleFinding) -> BilingualText:
        """Return the title: one line for people."""
        return _text(self._title, finding)

    def explanation(self, finding: RuleFinding) -> BilingualText:
        """Return why the rule fired, with its numbers."""
        return _text(self._explanation, finding)


_Template = tuple[tuple[str, Fill | None], ...]


def _parsed(template: str, places: Mapping[str, Fill]) -> _Template:
    try:
        pieces = list(Formatter().parse(template))
    except ValueError as error:
        raise InvalidRuleError(f"the text {template!r} has a stray brace") from error
    parsed = []
    for literal, name, spec, conversion in pieces:
        if name is not None and (name not in places or spec or conversion):
            raise InvalidRuleError(f"{{{name}}} is not one of {', '.join(sorted(places))}")
        parsed.append((literal, None if name is None else places[name]))
    return tuple(parsed)


def _text(templates: Mapping[str, _Template], finding: RuleFinding) -> BilingualText:
    words = {
        language: "".join(literal + (fill(finding, language) if fill else "") for literal, fill in template)
        for language, template in templates.items()
    }
    return BilingualText(en=words["en"], ko=words["ko"])
