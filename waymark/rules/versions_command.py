"""Which rules are in force, what they were before, and putting others in force without a restart."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from waymark.console import CommandError, err, out, print_json, say
from waymark.options import AsJson, examples
from waymark.user_name import user_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.alerts.feedback.said_feedback import FeedbackCount
    from services.journey.versions.rule_changes import RuleChanges
    from services.journey.versions.rule_listing import RuleListing
    from services.journey.versions.storing import PolicyApplication

File = Annotated[
    str, typer.Argument(metavar="FILE", help=say("A rules file, or `default`.", "규칙 파일 또는 default."))
]
MaybeFile = Annotated[
    str | None,
    typer.Argument(metavar="[FILE]", help=say("A rules file, or `default`.", "규칙 파일 또는 default.")),
]
Version = Annotated[int | None, typer.Option("--version", min=1, help=say("An earlier version.", "이전 버전 번호."))]
Note = Annotated[str, typer.Option("--note", help=say("Why, for the history.", "이력에 남길 이유."))]
Author = Annotated[
    str | None, typer.Option("--author", help=say("Who, for the history; else your user name.", "적용한 사람."))
]
Shadow = Annotated[
    bool,
    typer.Option("--shadow", help=say("Try what it changes; publish nothing of it.", "알리지 않고 시험만 합니다.")),
]
FromShadow = Annotated[
    bool, typer.Option("--from-shadow", help=say("Put what is tried in force.", "시험 중인 규칙을 적용합니다."))
]
RuleId = Annotated[
    str | None, typer.Argument(metavar="[ID]", help=say("A rule; without it, the whole file.", "규칙 이름."))
]


def register(group: typer.Typer) -> None:
    """Add `list`, `show`, `check`, `apply` and `history` to the group of rules."""
    group.command(
        "list",
        help=say("Show the rules in force.", "지금 적용되는 규칙을 표시합니다."),
        epilog=examples("waymark rules list", "waymark rules list --json"),
    )(list_)
    group.command(
        "show",
        help=say("Show a rule, or the file, as in force or as it was.", "규칙이나 규칙 파일을 표시합니다."),
        epilog=examples("waymark rules show long_wait", "waymark rules show --version 3 > rules.yaml"),
    )(show)
    group.command(
        "check",
        help=say(
            "Check a rules file, and say what it would change. Needs no database.",
            "규칙 파일을 검사합니다. 데이터베이스가 필요 없습니다.",
        ),
        epilog=examples("waymark rules check rules.yaml", "waymark rules check rules.yaml --json"),
    )(check)
    group.command(
        "apply",
        help=say(
            "Put a rules file in force: for every touchpoint that comes from now on, in every worker, without a "
            "restart. What was found before stays.",
            "규칙 파일을 적용합니다. 지금부터 들어오는 접점에 모든 워커가 재시작 없이 적용합니다. "
            "이전에 찾은 것은 그대로 둡니다.",
        ),
        epilog=examples(
            'waymark rules apply rules.yaml --note "stricter waits"',
            "waymark rules apply default",
            "waymark rules apply --version 3",
            'waymark rules apply rules.yaml --shadow --note "does it ring too often?"',
            "waymark rules apply --from-shadow",
        ),
    )(apply)
    group.command(
        "history",
        help=say(
            "Show every version: when, who, why, what changed.", "버전 이력을 표시합니다: 언제, 누가, 왜, 무엇을."
        ),
        epilog=examples("waymark rules history", "waymark rules history --json"),
    )(history)


def list_(*, as_json: AsJson = False) -> None:
    """Show the rules in force."""
    from waymark import policy_versions
    from waymark.rules import rule_store, shadow_command

    listing, tried, said = rule_store.listing(), rule_store.shadow(), rule_store.feedback()
    version, rules = listing.version, listing.rules
    shipped = rule_store.shipped_differs(version)
    if as_json:
        print_json(
            {
                **policy_versions.version_document(version),
                "rules": [_listed(one, said) for one in rules],
                "shadow": shadow_command.document(tried),
            }
        )
        return
    out.print(policy_versions.headline(version), markup=False, highlight=False)
    _table(rules, said)
    if tried is not None:
        out.print()
        shadow_command.show(tried)
    if shipped.new:
        err.print(
            say(
                f"this release ships {len(shipped.new)} rules that are not in force: {', '.join(shipped.new)}",
                f"이 릴리스의 규칙 {len(shipped.new)}개가 적용되어 있지 않습니다: {', '.join(shipped.new)}",
            ),
            markup=False,
        )


def show(id_: RuleId = None, *, version: Version = None, as_json: AsJson = False) -> None:
    """Show a rule, or a whole file."""
    from services.journey.versions.policy_table import PolicyKind
    from waymark import policy_versions
    from waymark.rules import rule_store

    stored = policy_versions.find(PolicyKind.RULES, version)
    if id_ is None:
        if as_json:
            print_json({**policy_versions.version_document(stored), "written": stored.written})
        else:
            out.file.write(stored.written)
        return
    rule = rule_store.whole_rule(stored, id_)
    if as_json:
        print_json(rule)
    else:
        out.file.write(policy_versions.as_yaml(rule))


def check(file: File, *, as_json: AsJson = False) -> None:
    """Check a file, and compare it with the shipped rules."""
    from services.journey.rulebook import stored_rules
    from services.journey.rulebook.rules_file import RulesRefusedError
    from services.journey.versions import rule_changes
    from waymark.rules import rule_store

    try:
        resolved = rule_store.resolve(file)
    except RulesRefusedError as error:
        if not as_json:
            raise CommandError(str(error)) from error
        print_json({"sound": False, "problems": list(error.problems)})
        raise typer.Exit(1) from error
    shipped = stored_rules.encode(rule_store.read_file(rule_store.DEFAULT).rules)
    changes = rule_changes.compare(shipped, stored_rules.encode(resolved.rules))
    if as_json:
        ids = [rule.id for rule in resolved.book.rules]
        print_json({"sound": True, "problems": [], "rules": ids, "against_shipped": _changes(changes)})
        return
    count = len(resolved.book.rules)
    out.print(say(f"sound: {count} rules", f"이상 없음: 규칙 {count}개"), highlight=False)
    if changes:
        out.print(say("against the shipped rules:", "기본 규칙과 비교하면:"), highlight=False)
        _print_changes(changes)


def apply(
    file: MaybeFile = None,
    *,
    version: Version = None,
    shadow: Shadow = False,
    from_shadow: FromShadow = False,
    note: Note = "",
    author: Author = None,
    as_json: AsJson = False,
) -> None:
    """Put a file, an earlier version, or what is in the shadow, in force; or a file into the shadow."""
    from waymark import policy_versions
    from waymark.rules import rule_store, shadow_command

    if sum((file is not None, version is not None, from_shadow)) != 1 or (shadow and file is None):
        raise CommandError(
            say(
                "give a rules file (with --shadow to try it), or --version, or --from-shadow",
                "규칙 파일(시험만 하려면 --shadow), --version, --from-shadow 중 하나를 주세요",
            ),
            exit_code=2,
        )
    by = author or user_name()
    if shadow:
        rule_store.try_in_shadow(rule_store.read_file(file or ""), by=by, note=note)
        shadow_command.tell(rule_store.shadow(), as_json=as_json)
        return
    if from_shadow:
        applied, changes = rule_store.apply_from_shadow(by=by, note=note)
    elif file is not None:
        applied, changes = rule_store.apply(rule_store.read_file(file), by=by, note=note)
    else:
        applied, changes = rule_store.apply_again(version or 1, by=by, note=note)
    now = applied.version
    if as_json:
        print_json({**policy_versions.version_document(now), "applied": applied.is_new, "changes": _changes(changes)})
    else:
        _tell(applied, changes)


def _tell(applied: "PolicyApplication", changes: "RuleChanges") -> None:
    from waymark import policy_versions

    now = applied.version
    if not applied.is_new:
        said = say("nothing changes:", "바뀌는 것이 없습니다:")
        out.print(f"{said} {policy_versions.headline(now)}", markup=False, highlight=False)
        return
    out.print(policy_versions.headline(now), markup=False, highlight=False)
    _print_changes(changes)
    err.print(
        say(
            "What comes from now on is judged by it; what was found before stays. "
            f"Back: waymark rules apply --version {applied.before.version if applied.before else 1}",
            "지금부터 들어오는 접점에 적용되고, 이전에 찾은 것은 그대로 둡니다. "
            f"되돌리기: waymark rules apply --version {applied.before.version if applied.before else 1}",
        ),
        markup=False,
        highlight=False,
    )


def history(*, as_json: AsJson = False) -> None:
    """Show every version, the latest first."""
    from services.journey.versions import rule_changes
    from services.journey.versions.policy_table import PolicyKind
    from waymark import policy_versions

    versions = policy_versions.demand_any(PolicyKind.RULES, policy_versions.load(PolicyKind.RULES))
    before = [None, *(one.document for one in versions)]
    told = [(one, rule_changes.compare(earlier, one.document)) for one, earlier in zip(versions, before, strict=False)]
    if as_json:
        print_json(
            {
                "versions": [
                    {**policy_versions.version_document(one), "changes": _changes(changes)}
                    for one, changes in reversed(told)
                ]
            }
        )
        return
    for one, changes in reversed(told):
        out.print(policy_versions.headline(one), markup=False, highlight=False)
        if one.version > 1:
            _print_changes(changes)


def _changes(changes: "RuleChanges") -> dict[str, Any]:
    return {
        "new": list(changes.new),
        "gone": list(changes.gone),
        "on": list(changes.on),
        "off": list(changes.off),
        "changed": {id_: list(members) for id_, members in changes.changed.items()},
    }


def _print_changes(changes: "RuleChanges") -> None:
    words = (
        (say("new", "새로"), changes.new),
        (say("gone", "삭제"), changes.gone),
        (say("on", "켜짐"), changes.on),
        (say("off", "꺼짐"), changes.off),
        (say("changed", "변경"), [f"{id_} ({', '.join(members)})" for id_, members in changes.changed.items()]),
    )
    for word, rules in words:
        for rule in rules:
            out.print(f"  {word}  {rule}", markup=False, highlight=False)


def _listed(one: "RuleListing", said: "Sequence[FeedbackCount]") -> dict[str, Any]:
    from waymark import policy_versions

    return {
        "id": one.rule["id"],
        "shape": one.rule["shape"],
        "severity": one.rule["severity"],
        "enabled": one.rule.get("enabled", True),
        "rule_version": one.rule.get("version", 1),
        "since_version": one.since.version,
        "in_force_from": policy_versions.time_text(one.since.in_force_from),
        "frictions": one.frictions,
        "customers_without_answer": one.failing,
        "cost_us": one.cost_us,
        "feedback": [_counted(each) for each in said if each.rule == one.rule["id"]],
        "title": one.rule["title"],
    }


def _counted(said: "FeedbackCount") -> dict[str, int]:
    return {"rule_version": said.rule_version, "useful": said.useful, "noise": said.noise}


def _said(rule: dict[str, Any], said: "Sequence[FeedbackCount]") -> str:
    """Return what was said of a rule as its version is now; a dash where nothing was."""
    found = next((one for one in said if (one.rule, one.rule_version) == (rule["id"], rule.get("version", 1))), None)
    return "–" if found is None else f"{found.useful} / {found.noise}"


def _table(rules: "Sequence[RuleListing]", said: "Sequence[FeedbackCount]") -> None:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in (
        say("rule", "규칙"),
        say("shape", "모양"),
        say("severity", "심각도"),
        say("since", "버전"),
        say("frictions", "불편"),
        say("useful / noise", "유용 / 불필요"),
        say("µs a touchpoint", "접점당 µs"),
        say("in words", "설명"),
    ):
        table.add_column(column)
    for one in rules:
        state = "" if one.rule.get("enabled", True) else say(" (off)", " (꺼짐)")
        failing = say(f" ({one.failing} customers without an answer)", f" (답이 없는 고객 {one.failing}명)")
        table.add_row(
            one.rule["id"] + state,
            one.rule["shape"],
            one.rule["severity"],
            str(one.since.version),
            f"{one.frictions:,}" + (failing if one.failing else ""),
            _said(one.rule, said),
            "–" if one.cost_us is None else f"{one.cost_us:.1f}",
            say(one.rule["title"]["en"], one.rule["title"]["ko"]),
        )
    out.print(table)
