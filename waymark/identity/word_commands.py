"""`waymark identity why | simulate | merge | separate | unmerge | show`: what operators ask of identity, and say."""

import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from waymark.console import CommandError, err, out, print_json, say
from waymark.options import AsJson, examples
from waymark.user_name import user_name

if TYPE_CHECKING:
    from services.journey.operate.identity_desk import IdentityDesk
    from services.journey.repair.account import EvidenceStep, IdentityAccount
    from services.journey.settle.resettling import Resettlement

T = TypeVar("T")

SHOWN = 20
"""Shared identifiers that are listed."""

One = Annotated[str, typer.Argument(metavar="TYPE:VALUE", show_default=False)]
Other = Annotated[str | None, typer.Argument(metavar="[TYPE:VALUE]", show_default=False)]
Evidence = Annotated[Path | None, typer.Argument(metavar="[FILE]", show_default=False, dir_okay=False)]
Rehearsed = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        metavar="FILE",
        help=say("A file of identity policy to try instead.", "대신 시험할 식별 정책 파일."),
        show_default=False,
        dir_okay=False,
    ),
]
By = Annotated[
    str,
    typer.Option(
        "--by",
        help=say("Who says so, for the ledger.", "원장에 남길 이름입니다."),
        show_default=False,
        default_factory=user_name,
    ),
]
Note = Annotated[str, typer.Option("--note", help=say("Why, for the ledger.", "원장에 남길 까닭입니다."))]


def register(group: typer.Typer) -> None:
    """Add the commands to the group."""
    group.command(
        "why",
        help=say(
            "Show what makes identifiers one customer, with the evidence, and which links are not followed and why.",
            "식별자들을 한 고객으로 묶는 근거와, 따르지 않은 링크와 그 까닭을 보여 줍니다.",
        ),
        epilog=examples("waymark identity why phone:+821012345678", "waymark identity why email:a@b.example cookie:k1"),
    )(why)
    group.command(
        "simulate",
        help=say(
            "Say what touchpoints with the identifiers in a file would do to the stored customers; changes nothing.",
            "파일의 식별자를 가진 접점이 온다면 저장된 고객이 어떻게 되는지 말합니다. 아무것도 바꾸지 않습니다.",
        )
        + " "
        + say(
            "With --policy, say who would merge, who would split and how many frictions would change if that policy "
            "had judged everything from the beginning.",
            "--policy를 주면 그 정책이 처음부터 모든 것을 판단했을 때 누가 병합되고, 누가 나뉘고, 불편이 얼마나 "
            "바뀌는지 말합니다.",
        ),
        epilog=examples(
            """echo '{"customer": {"phone": "+821012345678", "cookie": "k1"}}' > links.jsonl""",
            "waymark identity simulate links.jsonl",
            "waymark identity simulate --policy identity.yaml",
        ),
    )(simulate)
    group.command(
        "merge",
        help=say(
            "Say that two identifiers are one customer, whatever the constraints; `separate` takes it back.",
            "제약과 상관없이 두 식별자가 한 고객이라고 정합니다. `separate`로 되돌립니다.",
        ),
        epilog=examples("waymark identity merge customer_id:C-1 customer_id:C-7 --note 'one person, two contracts'"),
    )(merge)
    group.command(
        "separate",
        help=say(
            "Say that two identifiers are never one customer; a later `merge` takes it back.",
            "두 식별자가 결코 한 고객이 아니라고 정합니다. 나중의 `merge`로 되돌립니다.",
        ),
        epilog=examples("waymark identity separate email:she@home.example email:he@home.example"),
    )(separate)
    _register_more(group)


def _register_more(group: typer.Typer) -> None:
    group.command(
        "unmerge",
        help=say(
            "Take the link between two identifiers back, for good, and say what moved.",
            "두 식별자 사이의 링크를 영구히 취소하고, 무엇이 옮겨졌는지 말합니다.",
        ),
        epilog=examples("waymark identity unmerge customer_id:C-1 cookie:k1"),
    )(unmerge)
    group.command(
        "show",
        help=say(
            "Show what holds for each type of identifier, and which values are recognised as shared.",
            "식별자 종류마다 적용되는 규칙과, 여럿이 함께 쓰는 것으로 보이는 값을 보여 줍니다.",
        ),
        epilog=examples("waymark identity show", "waymark identity show --json"),
    )(show)


def _ask(question: "Callable[[IdentityDesk], Awaitable[T]]") -> T:
    from waymark.identity.ledger_words import at_desk
    from waymark.target import find_target

    target = find_target(os.environ)
    return at_desk(target.postgres_direct or target.postgres, os.environ, question)


def why(one: One, other: Other = None, *, as_json: AsJson = False) -> None:
    """Show what holds identifiers together."""
    account = _ask(lambda desk: desk.why([one] if other is None else [one, other]))
    if as_json:
        import msgspec

        print_json(msgspec.to_builtins(account))
        return
    _print_account(account)


def _print_account(account: "IdentityAccount") -> None:
    from services.journey.operate.verdict_sentences import verdict_sentence

    for key, standing, customer in zip(account.asked, account.standing, account.customers, strict=True):
        whose = say("nobody's by itself", "단독으로는 누구의 것도 아님") if customer is None else str(customer)
        _line(f"{_name(key)}: {_STANDINGS[standing]()} {whose}")
    if len(account.asked) > 1:
        _steps(account.path or ())
    else:
        _line(say("identifiers: ", "식별자: ") + ", ".join(map(_name, account.identifiers)))
        _steps(account.held_by)
    _line(say(*verdict_sentence(account.verdict)))
    if account.met_in:
        _line("  " + ", ".join(map(_name, account.met_in)))
    if account.refused:
        _line(say("not followed:", "따르지 않음:"))
        _steps(account.refused)


def _steps(steps: "Sequence[EvidenceStep]") -> None:
    for step in steps:
        said = _TRUSTS[step.trust]()
        shown = f" {step.source}/{step.touchpoint_id}" if step.touchpoint_id else ""
        why_not = f" ✗ {_REFUSALS[step.refusal]()}" if step.refusal else ""
        _line(f"  {_name(step.one)} ~ {_name(step.other)}  {said} {step.seen_at[:19]}{shown}{why_not}")


def _line(text: str) -> None:
    out.print(text, markup=False, highlight=False)


def _name(key: tuple[str, str]) -> str:
    return f"{key[0]}:{key[1]}"


_STANDINGS: dict[str, Callable[[], str]] = {
    "owned": lambda: say("customer", "고객"),
    "between": lambda: say("between customers; whoever was last known on it has it now:", "여러 고객 사이에 있음:"),
    "shared": lambda: say("shared by many people:", "여러 사람이 함께 씀:"),
}
_TRUSTS: dict[str, Callable[[], str]] = {
    "operator": lambda: say("said by an operator", "운영자가 정함"),
    "verified": lambda: say("verified", "확인됨"),
    "asserted": lambda: say("asserted", "주장됨"),
    "device": lambda: say("by a device", "기기로"),
}
_REFUSALS: dict[str, Callable[[], str]] = {
    "shared": lambda: say("many people use one of them", "여러 사람이 함께 쓰는 식별자입니다"),
    "held": lambda: say("one of them is between customers", "여러 고객 사이에 있는 식별자입니다"),
    "separated": lambda: say("an operator separated them", "운영자가 분리했습니다"),
    "unique": lambda: say("a customer has only one value of such a type", "한 고객이 하나만 가질 수 있는 값입니다"),
    "limit": lambda: say("a customer has no more values of such a type", "한 고객이 가질 수 있는 값의 수를 넘습니다"),
    "too_many_identifiers": lambda: say("a customer has no more identifiers", "한 고객의 식별자 한도를 넘습니다"),
}


def simulate(path: Evidence = None, *, policy: Rehearsed = None, as_json: AsJson = False) -> None:
    """Say what touchpoints would do, without storing any; or what a policy would have done."""
    from waymark.identity.ledger_words import read_touchpoints

    if (path is None) == (policy is None):
        raise CommandError(
            say("give a file of touchpoints, or --policy", "접점 파일이나 --policy 중 하나를 주세요"), exit_code=2
        )
    if policy is not None:
        from waymark.identity.rehearsal_command import rehearse

        rehearse(policy, as_json=as_json)
        return
    assert path is not None  # noqa: S101  one of the two is given
    touchpoints = read_touchpoints(path)
    supposed = _ask(lambda desk: desk.suppose(touchpoints))
    document: dict[str, Any] = {
        "merged": supposed.merged,
        "split": supposed.split,
        "new_customers": supposed.new_customers,
        "touchpoints_moved": supposed.touchpoints_moved,
        "not_followed": supposed.refused,
        "customers": sorted(map(str, supposed.customers)),
    }
    if as_json:
        print_json(document)
        return
    _line(
        say(
            f"{supposed.merged:,} customers would merge into others, {supposed.split:,} would split, "
            f"{supposed.new_customers:,} would be new; {supposed.touchpoints_moved:,} touchpoints would move",
            f"병합될 고객 {supposed.merged:,}, 나뉠 고객 {supposed.split:,}, 새 고객 {supposed.new_customers:,}, "
            f"옮겨질 접점 {supposed.touchpoints_moved:,}",
        )
    )
    for reason, number in sorted(supposed.refused.items()):
        _line(say(f"{number:,} links would not be followed: ", f"따르지 않을 링크 {number:,}: ") + _REFUSALS[reason]())


def merge(one: One, other: One, *, by: By, note: Note = "", as_json: AsJson = False) -> None:
    """Write that two identifiers are one customer."""
    from services.journey.domain.identity.facts import OperatorWord

    _settled(_ask(lambda desk: desk.say(OperatorWord.MERGE, one, other, by, note)), joined=True, as_json=as_json)


def separate(one: One, other: One, *, by: By, note: Note = "", as_json: AsJson = False) -> None:
    """Write that two identifiers are not one customer."""
    from services.journey.domain.identity.facts import OperatorWord

    _settled(_ask(lambda desk: desk.say(OperatorWord.SEPARATE, one, other, by, note)), joined=False, as_json=as_json)


def _settled(result: "Resettlement", *, joined: bool, as_json: bool) -> None:
    """Report what an operator's word did, and fail if it did not come true."""
    owners = set(result.owners.values())
    is_true = (len(owners) == 1) == joined
    document = {
        "done": is_true,
        "customers": {_name(key): owner for key, owner in result.owners.items()},
        "merged": {str(gone): heir for gone, heir in result.merged.items()},
        "created": {str(new): came_from for new, came_from in result.created.items()},
        "touchpoints_moved": result.touchpoints_moved,
    }
    if as_json:
        print_json(document)
    else:
        for key, owner in result.owners.items():
            _line(f"{_name(key)}: {owner or say('nobody by itself', '단독으로는 없음')}")
        _line(
            say(
                f"{len(result.merged):,} merged, {len(result.created):,} split off, "
                f"{result.touchpoints_moved:,} touchpoints moved",
                f"병합 {len(result.merged):,}, 나뉨 {len(result.created):,}, 옮긴 접점 {result.touchpoints_moved:,}",
            )
        )
    if not is_true:
        err.print(
            say(
                "written, but it does not hold: a later word says otherwise; see `waymark identity why`",
                "기록했지만 적용되지 않았습니다. 나중에 한 말이 다릅니다. `waymark identity why`를 보세요",
            )
        )
        raise typer.Exit(1)


def unmerge(one: One, other: One, *, by: By, as_json: AsJson = False) -> None:
    """Take a link back."""
    result = _ask(lambda desk: desk.unmerge(one, other, by))
    document = {
        "outcome": str(result.outcome),
        "customer": result.customer_id,
        "new_customers": list(result.new_customers),
        "touchpoints_moved": result.touchpoints_moved,
    }
    if as_json:
        print_json(document)
    else:
        _line(_OUTCOMES[str(result.outcome)]())
        if result.new_customers:
            _line(
                say(
                    f"{result.customer_id} goes on; new: {', '.join(map(str, result.new_customers))}; "
                    f"{result.touchpoints_moved:,} touchpoints moved",
                    f"{result.customer_id} 유지, 새 고객: {', '.join(map(str, result.new_customers))}, "
                    f"옮긴 접점 {result.touchpoints_moved:,}",
                )
            )
    if str(result.outcome) in ("still_joined", "no_such_link"):
        raise typer.Exit(1)


_OUTCOMES: dict[str, Callable[[], str]] = {
    "split": lambda: say("two customers now", "이제 두 고객입니다"),
    "still_joined": lambda: say(
        "the link is taken back, but others hold them together: `waymark identity why` shows which, `separate` ends it",
        "링크를 취소했지만 다른 링크가 묶고 있습니다. `waymark identity why`로 보고 `separate`로 끝내세요",
    ),
    "already_apart": lambda: say("taken back; they were apart already", "취소했습니다. 이미 따로였습니다"),
    "no_such_link": lambda: say(
        "there is no such link, or it was taken back before", "그런 링크가 없거나 이미 취소되었습니다"
    ),
}


def show(*, as_json: AsJson = False) -> None:
    """Show what holds for each type."""
    book = _ask(lambda desk: desk.book())
    policy = book.latest.constraints
    rows: list[dict[str, Any]] = [
        {
            "type": name,
            "strength": one.strength,
            "unique": one.unique,
            "personal": one.personal,
            "limit": one.limit,
            "shared": one.shared,
            "device": one.device,
            "shared_after": one.shared_after,
            "verified_only": one.verified_only,
            "hold_s": one.held_for(shared=False).total_seconds(),
        }
        for name, one in sorted(policy.types.items(), key=lambda item: item[1].strength)
    ]
    shared = _ask(lambda desk: desk.latest("shared", SHOWN))
    if as_json:
        document = {"version": len(book.versions), "types": rows, "most_identifiers": policy.most_identifiers}
        print_json({**document, "shared": list(map(_name, shared))})
        return
    for row in rows:
        traits = [name for name in ("unique", "personal", "shared", "device", "verified_only") if row[name]]
        if row["limit"] is not None:
            traits.append(f"limit {row['limit']}")
        days = row["hold_s"] / 86_400
        _line(f"{row['type']:<16} {row['strength']:>4}  {' '.join(traits):<10} {say('held', '보유')} {days:g} d")
    if shared:
        _line(say("shared by many people, seen last:", "여러 사람이 함께 쓰는 식별자(최근순):"))
        for key in shared:
            _line(f"  {_name(key)}")
