"""`waymark keys`: make, list, rotate and revoke the keys of producers and of people."""

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from waymark.console import CommandError, err, out, print_json, say
from waymark.options import AsJson, examples

if TYPE_CHECKING:
    from services.runtime.credentials.api_keys import KeyKind, MintedKey
    from services.runtime.key_tables import ListedKey
    from services.runtime.postgres.pools import Connection

T = TypeVar("T")

Name = Annotated[
    str | None,
    typer.Option("--source", metavar="NAME", help=say("A producer system.", "이벤트를 보내는 시스템입니다.")),
]
Role = Annotated[
    str | None,
    typer.Option("--role", metavar="ROLE", help=say("reader, agent or admin, for the APIs.", "API 역할입니다.")),
]
Channels = Annotated[
    list[str] | None,
    typer.Option("--channel", help=say("Channels this source may use; repeat it. None: all.", "허용할 채널입니다.")),
]
Scopes = Annotated[
    list[str] | None,
    typer.Option(
        "--scope", metavar="replay", help=say("`replay`: may send old touchpoints.", "과거 데이터 전송 허용.")
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="write|replay|inspect",
        help=say("This key may do only that, whatever the source may; repeat it.", "이 키에만 줄 권한, 반복 가능."),
    ),
]
Requests = Annotated[
    float | None,
    typer.Option("--requests-per-s", min=0, help=say("The source's limit; 0: the settings'.", "초당 요청 한도.")),
]
Touchpoints = Annotated[
    float | None,
    typer.Option("--touchpoints-per-s", min=0, help=say("As above, for touchpoints.", "초당 접점 한도.")),
]
Overlap = Annotated[
    float, typer.Option("--overlap-h", min=0, help=say("Hours that the old key goes on.", "이전 키를 더 쓸 시간."))
]
Label = Annotated[str, typer.Option("--label", help=say("Whose key it is, for the list.", "키 설명입니다."))]
Days = Annotated[
    int | None,
    typer.Option("--days", min=1, help=say("Expires after so many days.", "유효 기간(일).")),
]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True)
    group.command(
        "create",
        help=say("Make a key and show it once.", "키를 만들어 한 번만 보여 줍니다."),
        epilog=examples(
            "waymark keys create --source ivr --channel phone",
            "waymark keys create --source crm-history --scope replay",
            "waymark keys create --source shop --only write --requests-per-s 50",
            "waymark keys create --role agent --label 'support desk'",
        ),
    )(create)
    group.command("list", help=say("Show the keys, never their secrets.", "키 목록을 보여 줍니다."))(show)
    group.command(
        "rotate",
        help=say(
            "Make a key in place of another; both work for a while, then the old one ends.",
            "새 키로 바꿉니다. 이전 키는 겹치는 시간이 지나면 끝납니다.",
        ),
        epilog=examples("waymark keys rotate 8f0c2a91d3b4", "waymark keys rotate 8f0c2a91d3b4 --overlap-h 168"),
    )(rotate)
    group.command(
        "revoke",
        help=say("Revoke a key; processes notice within seconds.", "키를 폐기합니다."),
        epilog=examples("waymark keys revoke 8f0c2a91d3b4"),
    )(revoke)
    app.add_typer(group, name="keys", help=say("Keys of producers and of the APIs.", "API 키를 관리합니다."))


def create(
    *,
    source: Name = None,
    role: Role = None,
    channels: Channels = None,
    scopes: Scopes = None,
    only: Only = None,
    requests_per_s: Requests = None,
    touchpoints_per_s: Touchpoints = None,
    label: Label = "",
    days: Days = None,
    as_json: AsJson = False,
) -> None:
    """Make one key and show it."""
    from services.ingest.sources.source_administration import SourceSpec
    from services.runtime.credentials.api_keys import KeyKind
    from waymark.keys.key_store import create_role_key, create_source_key

    kind = _kind(source, role, channels, scopes)
    spec = SourceSpec(
        name=source or "",
        channels=tuple(channels or ()),
        replay=bool(scopes),
        requests_per_s=requests_per_s,
        touchpoints_per_s=touchpoints_per_s,
    )

    async def make(connection: "Connection") -> "MintedKey":
        if kind is KeyKind.SOURCE:
            return await create_source_key(connection, spec, label=label, days=days, only=_scopes(only or []))
        return await create_role_key(connection, kind, label=label, days=days)

    key = _in_transaction(make)
    if as_json:
        print_json({"key": key.text, "key_id": key.key_id, "kind": kind.value})
        return
    _show_once(key.text)


def rotate(
    key_id: Annotated[str, typer.Argument(help=say("Its id, as `list` shows it.", "키 식별자입니다."))],
    overlap_h: Overlap = 24.0,
    as_json: AsJson = False,
) -> None:
    """Make a key that replaces another after an overlap."""
    from waymark.keys.key_store import rotate_key

    rotation = _in_transaction(lambda connection: rotate_key(connection, key_id, overlap_h=overlap_h))
    if as_json:
        document = {"key": rotation.key.text, "key_id": rotation.key.key_id, "kind": rotation.key.kind.value}
        print_json(document | {"replaces": key_id, "old_ends": rotation.old_ends})
        return
    _show_once(rotation.key.text)
    ends = f"{rotation.old_ends:%Y-%m-%d %H:%M %Z}"
    err.print(
        say(
            f"{key_id} of {rotation.subject} works until {ends}.", f"{rotation.subject}의 {key_id}는 {ends}까지입니다."
        ),
        highlight=False,
    )


def _show_once(key: str) -> None:
    err.print(say("Shown once; keep it safe:", "한 번만 표시되니 안전하게 보관하세요:"), style="yellow")
    out.print(key, highlight=False)


def show(as_json: AsJson = False) -> None:
    """List the keys without their secrets."""
    from dataclasses import asdict

    from waymark.keys.key_store import list_keys

    found = _in_transaction(list_keys)
    if as_json:
        print_json([asdict(key) for key in found])
        return
    for key in found:
        used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "-"
        allowed = " ".join([*key.scopes, *(key.channels or (["*"] if key.scopes else []))])
        row = f"{key.key_id}  {key.kind:<7} {key.subject:<28} {allowed:<20} {key.created_at:%Y-%m-%d %H:%M}  {used:<16}"
        out.print(f"{row}  {_state(key)}", markup=False, highlight=False)


def _state(key: "ListedKey") -> str:
    """Return what is special about a key, in words."""
    words = []
    if key.revoked_at:
        words.append(say("revoked", "폐기됨"))
    elif key.expires_at:
        words.append(f"{say('until', '만료')} {key.expires_at:%Y-%m-%d %H:%M}")
    else:
        words.append(say("valid", "유효"))
    if key.rotated_to:
        words.append(f"→ {key.rotated_to}")
    for limit, unit in ((key.requests_per_s, say("requests/s", "요청/초")), (key.touchpoints_per_s, "touchpoints/s")):
        if limit:
            words.append(f"≤ {limit:g} {unit}")
    return ", ".join(words)


def revoke(
    key_id: Annotated[str, typer.Argument(help=say("Its id, as `list` shows it.", "키 식별자입니다."))],
    as_json: AsJson = False,
) -> None:
    """Revoke one key by its id."""
    from waymark.keys.key_store import revoke_key

    if not _in_transaction(lambda connection: revoke_key(connection, key_id)):
        raise CommandError(f"there is no key {key_id}; `waymark keys list` shows them")
    if as_json:
        print_json({"key_id": key_id, "revoked": True})
    else:
        out.print(say(f"revoked: {key_id}", f"폐기됨: {key_id}"), highlight=False)


def _kind(source: str | None, role: str | None, channels: list[str] | None, scopes: list[str] | None) -> "KeyKind":
    from schemas.vocabulary import Channel
    from services.runtime.credentials.api_keys import KeyKind

    if (source is None) == (role is None):
        raise CommandError("give either --source NAME or --role reader|agent|admin", exit_code=2)
    if role is not None:
        if role not in {KeyKind.READER, KeyKind.AGENT, KeyKind.ADMIN}:
            raise CommandError(f"--role is reader, agent or admin, not {role!r}", exit_code=2)
        return KeyKind(role)
    unknown = [name for name in channels or () if name not in set(Channel)]
    if unknown:
        raise CommandError(f"no such channel: {', '.join(unknown)}; there are {', '.join(Channel)}", exit_code=2)
    if set(scopes or ()) - {"replay"}:
        raise CommandError("the only scope that can be given is `replay`", exit_code=2)
    return KeyKind.SOURCE


def _scopes(only: list[str]) -> list[str]:
    known = ("write", "replay", "inspect")
    if set(only) - set(known):
        raise CommandError(f"--only is one of {', '.join(known)}", exit_code=2)
    return only


def _in_transaction(work: "Callable[[Connection], Awaitable[T]]") -> T:
    from waymark.database import run_in_transaction
    from waymark.target import find_target

    return run_in_transaction(find_target(os.environ).postgres, work)
