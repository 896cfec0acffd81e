"""`waymark identity apply | history`, and the check of a file: the policy of identity in versions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waymark.console import CommandError, err, out, print_json, say
from waymark.options import AsJson, examples
from waymark.user_name import user_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.journey.rulebook.identity_file import IdentityFile
    from services.journey.versions.identity_changes import IdentityChange
    from services.runtime.postgres.pools import Connection

MaybeFile = Annotated[
    Path | None,
    typer.Argument(metavar="[FILE]", help=say("A file of identity policy.", "식별 정책 파일."), dir_okay=False),
]
Version = Annotated[int | None, typer.Option("--version", min=1, help=say("An earlier version.", "이전 버전 번호."))]
Note = Annotated[str, typer.Option("--note", help=say("Why, for the history.", "이력에 남길 이유."))]
Author = Annotated[
    str | None, typer.Option("--author", help=say("Who, for the history; else your user name.", "적용한 사람."))
]


def register(group: typer.Typer) -> None:
    """Add the commands to the group."""
    group.command(
        "apply",
        help=say(
            "Put a policy of identity in force, in every worker, without a restart: for what is appended from now on. "
            "Nobody who is known is merged or split by it.",
            "식별 정책을 적용합니다. 지금부터 들어오는 접점에 모든 워커가 재시작 없이 적용합니다. "
            "이미 알려진 고객은 병합되거나 나뉘지 않습니다.",
        ),
        epilog=examples(
            'waymark identity apply identity.yaml --note "cards are personal"', "waymark identity apply --version 1"
        ),
    )(apply)
    group.command(
        "history",
        help=say("Show every version of the policy: when, who, why.", "정책의 버전 이력을 표시합니다: 언제, 누가, 왜."),
        epilog=examples("waymark identity history", "waymark identity history --json"),
    )(history)


def check_file(path: Path, *, as_json: bool) -> None:
    """Check a file of policy, and say what it changes; needs no database."""
    from services.journey.rulebook.identity_file import IdentityRefusedError, shipped
    from services.journey.versions import identity_changes

    try:
        read = load(path)
    except IdentityRefusedError as error:
        if not as_json:
            raise CommandError(str(error)) from error
        print_json({"sound": False, "problems": list(error.problems)})
        raise typer.Exit(1) from error
    changed = identity_changes.compare(shipped(), read.settings)
    if as_json:
        print_json({"sound": True, "problems": [], "changes": _document(changed)})
        return
    out.print(say("sound", "이상 없음"), highlight=False)
    _print_changes(changed)


def apply(
    file: MaybeFile = None,
    *,
    version: Version = None,
    note: Note = "",
    author: Author = None,
    as_json: AsJson = False,
) -> None:
    """Put a file, or an earlier version, in force."""
    from services.journey.rulebook import identity_file
    from services.journey.rulebook.identity_file import IdentityRefusedError
    from services.journey.versions import identity_changes, storing
    from services.journey.versions.policy_table import PolicyKind
    from services.journey.versions.storing import PolicyApplication
    from waymark import policy_versions

    if (file is None) == (version is None):
        raise CommandError(
            say("give a file of identity policy, or --version", "식별 정책 파일이나 --version 중 하나를 주세요"),
            exit_code=2,
        )
    by = author or user_name()
    try:
        read = None if file is None else load(file)
    except IdentityRefusedError as error:
        raise CommandError(str(error), exit_code=2) from error

    async def work(connection: "Connection") -> PolicyApplication:
        if read is None:
            return await policy_versions.put_again(connection, PolicyKind.IDENTITY, version or 1, by, note)
        return await storing.apply_identity(connection, storing.of_identity(read, author=by, note=note))

    applied = policy_versions.run(work)
    before = identity_file.shipped() if applied.before is None else identity_file.decode(applied.before.document)
    after = identity_file.decode(applied.version.document)
    changed = identity_changes.compare(before, after) if applied.is_new else []
    if as_json:
        document = policy_versions.version_document(applied.version)
        print_json({**document, "applied": applied.is_new, "changes": _document(changed)})
        return
    said = "" if applied.is_new else say("nothing changes: ", "바뀌는 것이 없습니다: ")
    out.print(said + policy_versions.headline(applied.version), markup=False, highlight=False)
    _print_changes(changed)
    if applied.is_new:
        err.print(
            say(
                "What is appended from now on goes by it; who is known stays as they are.",
                "지금부터 들어오는 접점에 적용되고, 이미 알려진 고객은 그대로 둡니다.",
            ),
            markup=False,
        )


def history(*, as_json: AsJson = False) -> None:
    """Show every version, the latest first, with what it changed of the one before it."""
    from services.journey.rulebook import identity_file
    from services.journey.versions import identity_changes
    from services.journey.versions.policy_table import PolicyKind
    from waymark import policy_versions

    versions = policy_versions.demand_any(PolicyKind.IDENTITY, policy_versions.load(PolicyKind.IDENTITY))
    settings = [identity_file.decode(one.document) for one in versions]
    told = [
        (one, identity_changes.compare(settings[max(0, place - 1)], settings[place]))
        for place, one in enumerate(versions)
    ][::-1]
    if as_json:
        print_json(
            {
                "versions": [
                    {**policy_versions.version_document(one), "changes": _document(changed)} for one, changed in told
                ]
            }
        )
        return
    for one, changed in told:
        out.print(policy_versions.headline(one), markup=False, highlight=False)
        _print_changes(changed)


def load(path: Path) -> "IdentityFile":
    """Return a file of policy; raises `CommandError` where it cannot be read, `IdentityRefusedError` for mistakes."""
    from services.journey.rulebook import identity_file

    try:
        return identity_file.load(path)
    except OSError as error:
        raise CommandError(
            say(f"{path} cannot be read: {error.strerror}", f"{path}: 읽을 수 없습니다({error.strerror})"), exit_code=2
        ) from error


def _document(changed: "Sequence[IdentityChange]") -> list[dict[str, Any]]:
    return [{"of": one.of, "member": one.member, "from": one.before, "to": one.after} for one in changed]


def _print_changes(changed: "Sequence[IdentityChange]") -> None:
    for one in changed:
        out.print(f"  {_sentence(one)}", markup=False, highlight=False)


def _sentence(one: "IdentityChange") -> str:
    """Return a change in one line; of lists, only what came and what went."""
    if isinstance(one.after, list) and isinstance(one.before, list):
        more, less = ([value for value in side if value not in other] for side, other in _sides(one))
        told = [*(f"+{value}" for value in more), *(f"-{value}" for value in less)]
        return f"{one.of}.{one.member}: {' '.join(told)}"
    return f"{one.of}.{one.member}: {_plain(one.before)} → {_plain(one.after)}"


def _sides(one: "IdentityChange") -> "tuple[tuple[list[str], list[str]], tuple[list[str], list[str]]]":
    return (one.after, one.before), (one.before, one.after)


def _plain(value: Any) -> str:
    if value is None:
        return "–"
    return str(value).lower() if isinstance(value, bool) else str(value)
