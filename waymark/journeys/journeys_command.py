"""`waymark journeys`: checks, applies and shows definitions of journeys."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from waymark.console import CommandError, err, out, print_json, say
from waymark.options import AsJson, examples
from waymark.user_name import user_name

if TYPE_CHECKING:
    from services.journey.rulebook.definitions_file import DefinitionsFile
    from services.runtime.postgres.pools import Connection

FILE_HELP = say(
    "A file of definitions, or a set that ships: retail, banking.", "여정 정의 파일 또는 기본 정의: retail, banking."
)
File = Annotated[str, typer.Argument(metavar="FILE", help=FILE_HELP)]
MaybeFile = Annotated[str | None, typer.Argument(metavar="[FILE]", help=FILE_HELP)]
Version = Annotated[int | None, typer.Option("--version", min=1, help=say("An earlier version.", "이전 버전 번호."))]
Note = Annotated[str, typer.Option("--note", help=say("Why, for the history.", "이력에 남길 이유."))]
Author = Annotated[
    str | None, typer.Option("--author", help=say("Who, for the history; else your user name.", "적용한 사람."))
]
JourneyId = Annotated[
    str | None,
    typer.Argument(metavar="[ID]", help=say("One journey; without it, all of them.", "여정 이름. 없으면 전체.")),
]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True)
    group.command(
        "check",
        help=say(
            "Check a file of definitions. Needs no database. Exits with 1 when there are mistakes.",
            "여정 정의 파일을 검사합니다. 데이터베이스가 필요 없습니다. 잘못이 있으면 종료 코드가 1입니다.",
        ),
        epilog=examples("waymark journeys check journeys.yaml", "waymark journeys check retail --json"),
    )(check)
    group.command(
        "apply",
        help=say(
            "Put definitions in force, in every worker, without a restart: for journeys that are entered from now on. "
            "Those under way go on by the definition that they began with.",
            "여정 정의를 적용합니다. 지금부터 시작하는 여정에 모든 워커가 재시작 없이 적용합니다. "
            "진행 중인 여정은 시작할 때의 정의를 그대로 따릅니다.",
        ),
        epilog=examples(
            "waymark journeys apply retail",
            'waymark journeys apply journeys.yaml --note "refunds in two days"',
            "waymark journeys apply --version 3",
        ),
    )(apply)
    group.command(
        "show",
        help=say("Show the definitions in force, or as they were.", "적용 중이거나 이전의 여정 정의를 표시합니다."),
        epilog=examples(
            "waymark journeys show", "waymark journeys show delivery", "waymark journeys show --version 3 --json"
        ),
    )(show)
    group.command(
        "history",
        help=say("Show every version: when, who, why.", "버전 이력을 표시합니다: 언제, 누가, 왜."),
        epilog=examples("waymark journeys history", "waymark journeys history --json"),
    )(history)
    app.add_typer(group, name="journeys", help=say("Which journeys there are.", "어떤 여정이 있는지."))


def check(file: File, *, as_json: AsJson = False) -> None:
    """Check a file, and say what it defines."""
    from services.journey.rulebook.definitions_file import DefinitionsRefusedError

    try:
        read = _load(file)
    except DefinitionsRefusedError as error:
        if not as_json:
            raise CommandError(str(error)) from error
        print_json({"sound": False, "problems": list(error.problems)})
        raise typer.Exit(1) from error
    if as_json:
        print_json({"sound": True, "problems": [], "journeys": [one.id for one in read.definitions]})
        return
    count = len(read.definitions)
    out.print(say(f"sound: {count} journeys", f"이상 없음: 여정 {count}개"), highlight=False)
    _outline(read.raw)


def apply(
    file: MaybeFile = None,
    *,
    version: Version = None,
    note: Note = "",
    author: Author = None,
    as_json: AsJson = False,
) -> None:
    """Put a file, or an earlier version, in force."""
    from services.journey.rulebook.definitions_file import DefinitionsRefusedError
    from services.journey.versions import storing
    from services.journey.versions.policy_table import PolicyKind
    from services.journey.versions.storing import PolicyApplication
    from waymark import policy_versions

    if (file is None) == (version is None):
        raise CommandError(
            say("give a file of definitions, or --version", "여정 정의 파일이나 --version 중 하나를 주세요"),
            exit_code=2,
        )
    by = author or user_name()
    try:
        read = None if file is None else _load(file)
    except DefinitionsRefusedError as error:
        raise CommandError(str(error), exit_code=2) from error

    async def work(connection: "Connection") -> PolicyApplication:
        if read is None:
            return await policy_versions.put_again(connection, PolicyKind.JOURNEYS, version or 1, by, note)
        return await storing.apply(connection, storing.of_journeys(read, author=by, note=note))

    applied = policy_versions.run(work)
    if as_json:
        print_json({**policy_versions.version_document(applied.version), "applied": applied.is_new})
        return
    said = "" if applied.is_new else say("nothing changes: ", "바뀌는 것이 없습니다: ")
    out.print(said + policy_versions.headline(applied.version), markup=False, highlight=False)
    if applied.is_new:
        _outline(_stored(applied.version.document))
        err.print(
            say(
                "Journeys that are entered from now on go by it; those under way keep theirs.",
                "지금부터 시작하는 여정에 적용되고, 진행 중인 여정은 그대로 둡니다.",
            ),
            markup=False,
        )


def show(id_: JourneyId = None, *, version: Version = None, as_json: AsJson = False) -> None:
    """Show all definitions, or one, of a version."""
    from difflib import get_close_matches

    from services.journey.versions.policy_table import PolicyKind
    from waymark import policy_versions

    stored = policy_versions.find(PolicyKind.JOURNEYS, version)
    journeys = {one["id"]: one for one in _stored(stored.document)}
    if id_ is None:
        if as_json:
            print_json({**policy_versions.version_document(stored), "journeys": list(journeys.values())})
        else:
            out.file.write(stored.written)
        return
    if id_ not in journeys:
        near = get_close_matches(id_, journeys, n=3, cutoff=0.5) or list(journeys)
        raise CommandError(
            say(
                f"there is no journey {id_} in version {stored.version}; did you mean {', '.join(near)}?",
                f"버전 {stored.version}에 {id_} 여정이 없습니다. 혹시 {', '.join(near)}?",
            )
        )
    if as_json:
        print_json(journeys[id_])
    else:
        out.file.write(policy_versions.as_yaml(journeys[id_]))


def history(*, as_json: AsJson = False) -> None:
    """Show every version, the latest first."""
    from services.journey.versions.policy_table import PolicyKind
    from waymark import policy_versions

    versions = policy_versions.demand_any(PolicyKind.JOURNEYS, policy_versions.load(PolicyKind.JOURNEYS))
    if as_json:
        listed = [
            {**policy_versions.version_document(one), "journeys": [journey["id"] for journey in _stored(one.document)]}
            for one in reversed(versions)
        ]
        print_json({"versions": listed})
        return
    for one in reversed(versions):
        names = ", ".join(journey["id"] for journey in _stored(one.document))
        out.print(policy_versions.headline(one), markup=False, highlight=False)
        out.print(f"  {names or say('none', '없음')}", markup=False, highlight=False)


def _load(name: str) -> "DefinitionsFile":
    from services.journey.rulebook import definitions_file

    try:
        return definitions_file.load(name)
    except OSError as error:
        sets = ", ".join(definitions_file.shipped_sets())
        raise CommandError(
            say(
                f"{name} cannot be read: {error.strerror}; the sets that ship are {sets}",
                f"{name}: 읽을 수 없습니다({error.strerror}). 기본 정의는 {sets}입니다",
            ),
            exit_code=2,
        ) from error


def _stored(document: bytes) -> list[dict[str, Any]]:
    import orjson

    journeys: list[dict[str, Any]] = orjson.loads(document)["journeys"]
    return journeys


def _outline(journeys: list[dict[str, Any]]) -> None:
    """Print each journey on one line, with its stages and their deadlines."""
    for journey in journeys:
        title = say(journey["title"]["en"], journey["title"]["ko"])
        stages = " → ".join(_stage(stage) for stage in journey["stages"])
        out.print(f"  {journey['id']} ({title}): {stages}", markup=False, highlight=False)


def _stage(stage: dict[str, Any]) -> str:
    return f"{stage['id']} ({stage['within']})" if "within" in stage else str(stage["id"])
