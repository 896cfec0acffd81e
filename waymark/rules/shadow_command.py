"""`waymark rules shadow`: what is tried, what it finds beside the rules in force, and the end of it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from waymark.console import out, print_json, say
from waymark.options import AsJson, examples
from waymark.user_name import user_name

if TYPE_CHECKING:
    from services.journey.shadowing.shadow_listing import ShadowListing, TriedRule

End = Annotated[bool, typer.Option("--end", help=say("Take everything out of it.", "시험을 끝냅니다."))]
Note = Annotated[str, typer.Option("--note", help=say("Why it ends.", "끝내는 이유."))]


def register(group: typer.Typer) -> None:
    """Add `shadow` to the group of rules."""
    group.command(
        "shadow",
        help=say(
            "Show the rules in the shadow: asked by every worker, never published; what each found beside the rule "
            "in force, with examples of what only one of them found.",
            "그림자에서 시험 중인 규칙을 표시합니다. 모든 워커가 평가하지만 알리지 않습니다. "
            "적용 중인 규칙과 나란히 비교하고, 한쪽만 찾은 예를 보여 줍니다.",
        ),
        epilog=examples(
            'waymark rules apply rules.yaml --shadow --note "does it ring too often?"',
            "waymark rules shadow",
            "waymark rules apply --from-shadow",
            "waymark rules shadow --end",
        ),
    )(shadow)


def shadow(*, end: End = False, note: Note = "", as_json: AsJson = False) -> None:
    """Show what is in the shadow, or end it."""
    from waymark.rules import rule_store

    if end:
        rule_store.end_shadow(by=user_name(), note=note)
    tell(rule_store.shadow(), as_json=as_json)


def tell(listing: "ShadowListing | None", *, as_json: bool) -> None:
    """Print what is in the shadow now; None where nothing is."""
    if as_json:
        print_json({"shadow": document(listing)})
    elif listing is None:
        out.print(say("nothing is in the shadow", "시험 중인 규칙이 없습니다"), highlight=False)
    else:
        show(listing)


def document(listing: "ShadowListing | None") -> dict[str, Any] | None:
    """Return what is in the shadow for programs."""
    from waymark import policy_versions

    if listing is None:
        return None
    return {**policy_versions.version_document(listing.version), "rules": [_tried(one) for one in listing.rules]}


def _tried(one: "TriedRule") -> dict[str, Any]:
    from waymark import policy_versions

    return {
        "id": one.rule["id"],
        "since": policy_versions.time_text(one.trial.since),
        "is_new": one.is_new,
        "differs": list(one.differs),
        "found": one.counts.found,
        "in_force": one.counts.in_force,
        "new": one.counts.new,
        "gone": one.counts.gone,
        "customers_without_answer": one.failing,
        "examples": [
            {
                "friction_id": example.friction_id,
                "customer_id": example.customer_id,
                "anchor": example.anchor,
                "at": example.occurred_at,
                "severity": example.severity,
                "in_shadow": example.in_shadow,
            }
            for example in one.examples
        ],
    }


def show(listing: "ShadowListing") -> None:
    """Print what is in the shadow as a table, with the latest frictions that only one side has."""
    from rich.table import Table

    from waymark import policy_versions

    headline = policy_versions.headline(listing.version)
    out.print(f"{say('in the shadow', '시험 중')}: {headline}", markup=False, highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(say("rule", "규칙"), no_wrap=True)
    table.add_column(say("differs in", "다른 점"))
    table.add_column(say("since", "시작"))
    for label in (
        say("found", "발견"),
        say("in force", "적용 중"),
        say("new", "새로"),
        say("gone", "사라짐"),
    ):
        table.add_column(label, justify="right")
    for one in listing.rules:
        failing = say(f" ({one.failing} customers without an answer)", f" (답이 없는 고객 {one.failing}명)")
        table.add_row(
            one.rule["id"] + (failing if one.failing else ""),
            say("a new rule", "새 규칙") if one.is_new else ", ".join(one.differs),
            one.trial.since.astimezone().strftime("%m-%d %H:%M:%S"),
            *(f"{number:,}" for number in (one.counts.found, one.counts.in_force, one.counts.new, one.counts.gone)),
        )
    out.print(table)
    for one in listing.rules:
        for example in one.examples:
            side = say("new", "새로") if example.in_shadow else say("gone", "사라짐")
            at = example.occurred_at.isoformat(timespec="seconds")
            out.print(
                f"  {one.rule['id']} {side}: {at} {example.customer_id} @ {example.anchor}",
                style="dim",
                markup=False,
                highlight=False,
            )
