"""The rulebook: rules made ready to run, evaluated one by one, each in isolation."""

from collections.abc import Sequence

from services.journey.domain.rules.shape import Rule


class Rulebook:
    """Rules in force. Built once and shared: it holds no state of any customer."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Compiles `rules`; raises `RuleRefused` naming the rule and the field that makes no sense."""
        self.rules = tuple(rules)
