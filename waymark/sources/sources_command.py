"""`waymark sources`: channel systems, and the sources that are bound to them with the secrets they sign with."""

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from waymark.console import CommandError, err, out, print_json, say
from waymark.options import AsJson, examples
from waymark.sources import set_command, trial_command
from waymark.sources.trial_command import Options, SecretText

if TYPE_CHECKING:
    from services.ingest.forms.webhooks.binding_administration import ListedBinding
    from services.runtime.postgres.pools import Connection

T = TypeVar("T")

Name = Annotated[str, typer.Argument(metavar="NAME", help=say("The source.", "소스 이름입니다."))]
System = Annotated[str, typer.Option("--system", help=say("Its channel system; see `list`.", "채널 시스템입니다."))]
MountedFile = Annotated[
    str | None,
    typer.Option(
        "--mounted",
        metavar="FILE",
        help=say("A file in WAYMARK_INGEST_SECRETS_DIR that holds the secret.", "비밀 값이 든 마운트 파일 이름."),
    ),
]
PublicUrl = Annotated[
    str,
    typer.Option("--public-url", help=say("The whole URL that the vendor calls, if not the common one.", "공개 URL.")),
]
Channels = Annotated[
    list[str] | None, typer.Option("--channel", help=say("Channels it may use; none: all.", "허용할 채널입니다."))
]
Addresses = Annotated[
    list[str] | None,
    typer.Option(
        "--address", metavar="NETWORK", help=say("Networks in place of the vendor's own.", "허용할 네트워크.")
    ),
]
Overlap = Annotated[
    float,
    typer.Option("--overlap-h", min=0, help=say("Hours that the old secret goes on.", "이전 비밀 값을 더 쓸 시간.")),
]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True)
    group.command(
        "list", help=say("Show channel systems and bound sources.", "채널 시스템과 연결된 소스를 보여 줍니다.")
    )(show_all)
    group.command(
        "show",
        help=say("Show one system: how it signs, what it becomes.", "시스템 하나를 자세히 보여 줍니다."),
        epilog=examples("waymark sources show kakao_skill", "waymark sources show my_crm.yaml"),
    )(trial_command.show)
    group.command(
        "test",
        help=say(
            "Show what a payload becomes, and what is wrong with it.", "페이로드가 어떤 접점이 되는지 보여 줍니다."
        ),
        epilog=examples(
            "waymark sources test twilio_voice --payload examples/sources/twilio_voice/call_completed.form",
            "waymark sources test my_crm.yaml --payload event.json --headers event.headers --secret s3cret",
        ),
    )(trial_command.try_out)
    group.command(
        "add",
        help=say("Bind a source to a channel system.", "소스를 채널 시스템에 연결합니다."),
        epilog=examples(
            "waymark sources add callcentre --system twilio_voice --secret -",
            "waymark sources add kakao-bot --system kakao_skill",
            "waymark sources add talktalk --system naver_talktalk",
            "waymark sources add meta --system meta --secret -",
        ),
    )(add)
    group.command(
        "rotate",
        help=say(
            "Add a new secret; the old ones end after a while.", "비밀 값을 바꿉니다. 이전 값은 얼마 뒤 끝납니다."
        ),
        epilog=examples("waymark sources rotate callcentre --secret - --overlap-h 48"),
    )(rotate)
    group.command("remove", help=say("Take a source's webhook away.", "소스의 웹훅 연결을 없앱니다."))(remove)
    group.command(
        "set",
        help=say("Set how what a source sends is read.", "소스가 보낸 것을 읽는 방식을 정합니다."),
        epilog=examples(
            "waymark sources set web --segment-mapping web.yaml --origin https://shop.example.com",
            "waymark sources set core --clock true_time",
            "waymark sources set shop-events --default-channel web",
        ),
    )(set_command.set_up)
    app.add_typer(
        group, name="sources", help=say("Channel systems and their webhooks.", "채널 시스템과 웹훅을 관리합니다.")
    )


def show_all(as_json: AsJson = False) -> None:
    """List systems, and the sources that are bound to one."""
    from dataclasses import asdict

    from services.ingest.forms.webhooks.binding_administration import list_bindings
    from waymark.sources.channel_systems import facts_of, systems

    facts = [facts_of(recipe) for _, recipe in sorted(systems().items())]
    if not as_json:
        out.print(say("Channel systems:", "채널 시스템:"), style="bold")
    for each in () if as_json else facts:
        out.print(f"  {each.name:<20} {each.signature:<44} {each.shown_title}", markup=False, highlight=False)
    found = _in_transaction(list_bindings)  # the database may be away; the systems are shown by then
    bound = [_shown(each) for each in found]
    if as_json:
        print_json({"systems": [asdict(each) for each in facts], "sources": bound})
        return
    out.print(say("Sources:", "연결된 소스:"), style="bold")
    for source in bound:
        count = f"{source['secrets']} {say('secrets', '비밀 값')}"
        line = f"  {source['name']:<20} {source['system']:<20} {count:<12} {source['url']}"
        options = "".join(f"  {name}={value}" for name, value in source["options"].items())
        out.print(line + options, markup=False, highlight=False, soft_wrap=True)
    if not bound:
        out.print(say("  none; `waymark sources add` makes one", "  없음. `waymark sources add`로 추가합니다"))


def _shown(bound: "ListedBinding") -> dict[str, Any]:
    from waymark.sources.channel_systems import system_of, url_of

    try:
        url = url_of(bound.name, system_of(bound.system), said=str(bound.setup.get("public_url", "")))
    except CommandError as error:
        url = str(error)
    facts = {"name": bound.name, "system": bound.system, "secrets": bound.secrets, "disabled": bound.disabled}
    return facts | {"url": url, "secret_ends": bound.oldest_ends, "options": bound.setup.get("options", {})}


def add(
    name: Name,
    system: System,
    secret: SecretText = None,
    mounted: MountedFile = None,
    public_url: PublicUrl = "",
    options: Options = None,
    channels: Channels = None,
    addresses: Addresses = None,
    as_json: AsJson = False,
) -> None:
    """Bind a source to a system."""
    from services.ingest.forms.webhooks.binding_administration import SourceBinding, list_bindings
    from waymark.sources.channel_systems import options_of, system_of, url_of
    from waymark.sources.webhook_secrets import bind, secret_to_store, store_secret

    recipe = system_of(system)
    allowed = _known(channels or [])
    kept = secret_to_store(secret, mounted)

    async def work(connection: "Connection") -> tuple[str | None, dict[str, str]]:
        held = next((each for each in await list_bindings(connection) if each.name == name), None)
        known = held.setup.get("options", {}) if held is not None and held.system == recipe.system.name else {}
        chosen, made_options = options_of(recipe, trial_command.pairs(options), known)
        binding = SourceBinding(
            name=name,
            system=recipe.system.name,
            channels=allowed,
            public_url=public_url,
            options=chosen,
            addresses=tuple(addresses) if addresses else None,
        )
        await bind(connection, binding)
        return await store_secret(connection, name, kept, recipe), made_options

    made, made_options = _in_transaction(work)
    url = url_of(name, recipe, said=public_url, secret=made or "")
    if as_json:
        told = {"source": name, "system": recipe.system.name, "url": url, "secret": made}
        print_json(told | ({"options": made_options} if made_options else {}))
        return
    _tell(made)
    out.print(f"{say('webhook', '웹훅 주소')}: {url}", markup=False, highlight=False, soft_wrap=True)
    for option, value in made_options.items():
        out.print(f"{option}: {value}", markup=False, highlight=False)
    _hint_at_public_address(url)


def _hint_at_public_address(url: str) -> None:
    """Say what to put before a URL that names no host."""
    if url.startswith("/"):
        hint = say(
            "Put the address that the vendor reaches you by before it, or set WAYMARK_INGEST_PUBLIC_URL here and for "
            "ingest: https://waymark.example.com",
            "앞에 외부에서 접속하는 주소를 붙이거나, 여기와 ingest에 WAYMARK_INGEST_PUBLIC_URL을 설정하세요: "
            "https://waymark.example.com",
        )
        err.print(hint, style="yellow", highlight=False)


def rotate(
    name: Name,
    secret: SecretText = None,
    mounted: MountedFile = None,
    overlap_h: Overlap = 24.0,
    as_json: AsJson = False,
) -> None:
    """Add a secret and let the others end after an overlap."""
    from services.ingest.forms.webhooks.binding_administration import end_secrets, list_bindings
    from waymark.sources.channel_systems import system_of
    from waymark.sources.webhook_secrets import secret_to_store, store_secret

    kept = secret_to_store(secret, mounted)

    async def work(connection: "Connection") -> tuple[int, str | None]:
        bound = next((each for each in await list_bindings(connection) if each.name == name), None)
        if bound is None:
            raise _not_bound(name)
        ended = await end_secrets(connection, name, overlap_h=overlap_h)
        return ended, await store_secret(connection, name, kept, system_of(bound.system))

    ended, made = _in_transaction(work)
    if as_json:
        print_json({"source": name, "secret": made, "ended": ended, "overlap_h": overlap_h})
        return
    _tell(made)
    text = say(f"{ended} old secrets end in {overlap_h:g} h", f"이전 비밀 값 {ended}개가 {overlap_h:g}시간 뒤 끝납니다")
    out.print(text, highlight=False)


def remove(name: Name, as_json: AsJson = False) -> None:
    """Remove a source's webhook and its secrets."""
    from services.ingest.forms.webhooks.binding_administration import unbind

    if not _in_transaction(lambda connection: unbind(connection, name)):
        raise _not_bound(name)
    if as_json:
        print_json({"source": name, "removed": True})
    else:
        out.print(say(f"removed: {name}", f"제거됨: {name}"), highlight=False)


def _not_bound(name: str) -> CommandError:
    return CommandError(f"{name} has no channel system; `waymark sources list` shows those that have")


def _tell(made: str | None) -> None:
    if made:
        err.print(say("Shown once; give it to the vendor:", "한 번만 표시됩니다. 서비스에 등록하세요:"), style="yellow")
        out.print(made, markup=False, highlight=False)


def _known(channels: list[str]) -> tuple[str, ...]:
    from schemas.vocabulary import Channel

    unknown = [name for name in channels if name not in set(Channel)]
    if unknown:
        raise CommandError(f"no such channel: {', '.join(unknown)}; there are {', '.join(Channel)}", exit_code=2)
    return tuple(channels)


def _in_transaction(work: "Callable[[Connection], Awaitable[T]]") -> T:
    from waymark.database import run_in_transaction
    from waymark.target import find_target

    return run_in_transaction(find_target(os.environ).postgres, work)
