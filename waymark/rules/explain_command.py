"""`waymark rules explain`: why a rule fired for one customer, or which of its conditions keeps it from firing."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from waymark.console import CommandError, out, print_json, say
from waymark.options import AsJson, examples
from waymark.rules.page_command import RuleId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.journey.domain.rules.book import Rulebook
    from services.journey.domain.touchpoint import RecordedTouchpoint
    from services.journey.trial.explanation import ConditionExplanation, RuleExplanation

Customer = Annotated[
    str,
    typer.Argument(
        metavar="TYPE:VALUE", help=say("The customer, or its bare id.", "고객 또는 고객 id."), show_default=False
    ),
]
RulesFile = Annotated[
    Path | None,
    typer.Option(
        "--rules",
        help=say("Its rules file; the rules in force.", "규칙 파일(기본: 적용 중인 규칙)."),
        show_default=False,
    ),
]


def register(group: typer.Typer) -> None:
    """Add `explain` to the group of rules."""
    group.command(
        "explain",
        help=say(
            "Say why a rule fired for one customer, or which condition keeps it from firing and by how much.",
            "한 고객에게 규칙이 왜 걸렸는지, 또는 어떤 조건이 얼마나 모자라 걸리지 않았는지 보여 줍니다.",
        ),
        epilog=examples(
            "waymark rules explain phone:010-1234-5678 repeat_contact_24h",
            "waymark rules explain customer_id:C-1009 long_wait --rules our-rules.yaml",
        ),
    )(explain)


def explain(customer: Customer, rule: RuleId, *, rules: RulesFile = None, as_json: AsJson = False) -> None:
    """Read the customer's touchpoints, and show what the rule says about them."""
    from services.journey import policies
    from services.journey.trial.explanation import explain as explanation_of
    from waymark.rules import rule_store
    from waymark.rules.rules_reading import demand_rule, load_rules

    rulebook = load_rules(rules) if rules is not None else rule_store.rules_in_force()
    asked = demand_rule(rulebook, rule)
    touchpoints, conversations_since = asyncio.run(_read(customer))
    policy = policies.projection(conversations_since)
    told = explanation_of(asked, touchpoints, datetime.now(UTC), policy)
    if as_json:
        print_json(_document(told))
    else:
        _show(told, rulebook, len(touchpoints))


async def _read(customer: str) -> "tuple[Sequence[RecordedTouchpoint], datetime | None]":
    """Return the touchpoints of the customer, and since when contacts are conversations in that database.

    Raises:
        CommandError: there is no such customer.
    """
    from services.journey.api.api_settings import ApiSettings
    from services.journey.read import lookup
    from services.journey.read.lookup import LookupFault
    from services.journey.store import moments
    from services.journey.trial import stored_histories
    from waymark.database import open_transaction
    from waymark.target import find_target

    target = find_target(os.environ)
    settings = ApiSettings.load(os.environ)
    reference = lookup.parse(customer, settings.phone_region, settings.privacy_secret.get_secret_value().encode())
    if isinstance(reference, LookupFault):
        raise CommandError(
            say(
                f"{customer!r} names no customer; write phone:010-1234-5678, customer_id:C-1009 or an id",
                f"{customer!r}: 고객이 아닙니다. phone:010-1234-5678, customer_id:C-1009 또는 id로 쓰세요",
            ),
            exit_code=2,
        )
    who = reference if isinstance(reference, UUID) else (reference.type, reference.values)
    async with open_transaction(target.postgres_direct or target.postgres) as connection:
        found = await stored_histories.read_customer(connection, who, settings.history_touchpoints)
        since = await moments.conversations(connection)
    if found is None:
        raise CommandError(say("there is no such customer", "그런 고객이 없습니다"))
    return found, since


def _show(told: "RuleExplanation", rulebook: "Rulebook", touchpoints: int) -> None:
    if not told.enabled:
        _print(say(f"{told.rule} is switched off; were it on:", f"{told.rule}: 꺼져 있습니다. 켜져 있다면:"))
    for found in told.fired:
        title, explanation = (say(text.en, text.ko) for text in rulebook.texts(found))
        anchor = found.anchor.interaction_id or found.anchor.touchpoint_id
        _print(f"● {found.stale_from.isoformat()} {found.severity} @ {anchor}: {title}", style="bold")
        _print(f"    {explanation}")
        _print(f"    {say('evidence', '근거')}: {', '.join(id_ for _, id_ in found.touchpoints)}", style="dim")
    for timer in told.waiting:
        waits = say(f"waits for a follow-up to {timer.armed_by[1]}", f"{timer.armed_by[1]}의 후속을 기다리는 중")
        _print(f"◌ {waits}: {say('due', '기한')} {timer.due_at.isoformat()}")
    if told.fired or told.waiting:
        return
    _print(
        say(
            f"{told.rule} does not fire: {told.looked_at} of {told.units} match its first condition "
            f"({touchpoints} touchpoints)",
            f"{told.rule}: 걸리지 않음. {told.units}건 가운데 {told.looked_at}건이 첫 조건에 맞음 "
            f"(접점 {touchpoints}건)",
        ),
        style="bold",
    )
    for condition in told.conditions:
        mark = "✓" if condition.holds else "✗"
        _print(f"  {mark} {_sentence(condition)}", style=None if condition.holds else "red")
    if not told.looked_at:
        return
    if all(condition.holds for condition in told.conditions):
        _print(say("  several conditions fail together", "  여러 조건이 함께 맞지 않습니다"), style="dim")
    else:
        _print(say("  each ✗ alone keeps it from firing", "  ✗ 하나하나가 규칙을 막고 있습니다"), style="dim")


def _sentence(condition: "ConditionExplanation") -> str:
    text = f"{condition.member}: {condition.wanted}"
    if condition.holds or condition.found is None:
        return text
    return f"{text}  ({say('there is', '있는 값')} {condition.found})"


def _print(text: str, *, style: str | None = None) -> None:
    out.print(text, style=style, markup=False, highlight=False)


def _document(told: "RuleExplanation") -> dict[str, Any]:
    return {
        "rule": told.rule,
        "enabled": told.enabled,
        "units": told.units,
        "looked_at": told.looked_at,
        "fired": [
            {
                "friction_id": found.id,
                "at": found.stale_from,
                "severity": found.severity,
                "anchor": found.anchor.interaction_id or found.anchor.touchpoint_id,
                "touchpoints": [{"source": source, "id": id_} for source, id_ in found.touchpoints],
                "evidence": found.evidence,
            }
            for found in told.fired
        ],
        "waiting": [
            {"touchpoint": {"source": timer.armed_by[0], "id": timer.armed_by[1]}, "due_at": timer.due_at}
            for timer in told.waiting
        ],
        "conditions": [
            {"member": one.member, "wanted": one.wanted, "holds": one.holds, "found": one.found}
            for one in told.conditions
        ],
    }
