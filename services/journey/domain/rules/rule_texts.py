"""Titles and explanations of findings: templates with named placeholders, filled in English and in Korean.

A template is plain text with placeholders in braces. Only those of the rule's shape and those allowed anywhere are
known, so a rules file can neither reach into the program nor print anything that points to a person.
"""

from collections.abc import Mapping
from string import Formatter

from services.journey.domain.friction import BilingualText, RuleFinding
from services.journey.domain.rules.matching import InvalidRuleError
from services.journey.domain.rules.placeholders import ANYWHERE, Fill, Placeholders
from services.journey.domain.rules.shapes.registry import AnyRule


class RuleTexts:
    """The title and the explanation of one rule, parsed once."""

    __slots__ = ("_explanation", "_title")

    def __init__(self, rule: AnyRule) -> None:
        """Parse the templates; raise `InvalidRuleError` for one that does not parse or names an unknown placeholder."""
        allowed = {**ANYWHERE, **rule.placeholders}
        self._title = {"en": _parsed(rule.title.en, allowed), "ko": _parsed(rule.title.ko, allowed)}
        self._explanation = {"en": _parsed(rule.explanation.en, allowed), "ko": _parsed(rule.explanation.ko, allowed)}

    def title(self, finding: RuleFinding) -> BilingualText:
        """Return the title: one line for people."""
        return _text(self._title, finding)

    def explanation(self, finding: RuleFinding) -> BilingualText:
        """Return why the rule fired, with its numbers."""
        return _text(self._explanation, finding)


_Template = tuple[tuple[str, Fill | None], ...]


def _parsed(template: str, allowed: Placeholders) -> _Template:
    try:
        pieces = list(Formatter().parse(template))
    except ValueError as error:
        raise InvalidRuleError(f"the text {template!r} has a stray brace") from error
    parsed = []
    for literal, name, spec, conversion in pieces:
        if name is not None and (name not in allowed or spec or conversion):
            raise InvalidRuleError(f"{{{name}}} is not one of {', '.join(sorted(allowed))}")
        parsed.append((literal, None if name is None else allowed[name]))
    return tuple(parsed)


def _text(templates: Mapping[str, _Template], finding: RuleFinding) -> BilingualText:
    words = {
        language: "".join(literal + (fill(finding, language) if fill else "") for literal, fill in template)
        for language, template in templates.items()
    }
    return BilingualText(en=words["en"], ko=words["ko"])
