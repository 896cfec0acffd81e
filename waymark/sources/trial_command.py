"""`waymark sources show` and `test`: a channel system described, and a webhook tried out before it is connected."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waymark.console import CommandError, out, print_json, say
from waymark.options import AsJson

if TYPE_CHECKING:
    from waymark.sources.webhook_trial import TrialOutcome

NameOrFile = Annotated[
    str, typer.Argument(metavar="NAME|FILE", help=say("A system, or a file.", "시스템 이름이나 파일."))
]
SecretText = Annotated[
    str | None,
    typer.Option(
        "--secret",
        metavar="TEXT|-",
        help=say("What the vendor signs with; `-` asks for it.", "서명 비밀 값, `-`는 물어봅니다."),
    ),
]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME=VALUE", help=say("An option of the system.", "시스템 옵션입니다.")),
]


def show(name: NameOrFile, as_json: AsJson = False) -> None:
    """Show one channel system."""
    from dataclasses import asdict

    from waymark.sources.channel_systems import facts_of, system_of

    facts = facts_of(system_of(name))
    if as_json:
        print_json(asdict(facts))
        return
    out.print(f"{facts.name}: {facts.shown_title}", style="bold", markup=False)
    rows = {
        say("documentation", "문서"): facts.documentation,
        say("signature", "서명"): facts.signature,
        say("networks", "네트워크"): ", ".join(facts.addresses),
        say("options", "옵션"): ", ".join(
            f"{key} ({say('made up by `sources add`', '`sources add`가 만듦')})"
            if key in facts.made
            else f"{key}={value}"
            for key, value in facts.options.items()
        ),
        say("becomes", "접점 종류"): ", ".join(facts.kinds),
    }
    for label, value in rows.items():
        if value:
            out.print(f"  {label:<14} {value}", markup=False, highlight=False)


def try_out(
    name: NameOrFile,
    payload: Annotated[Path, typer.Option("--payload", help=say("The body as sent.", "보낸 본문 파일입니다."))],
    headers: Annotated[
        Path | None, typer.Option("--headers", help=say("Its headers, one a line.", "헤더 파일입니다."))
    ] = None,
    secret: SecretText = None,
    url: Annotated[str, typer.Option("--url", help=say("The URL that was called.", "호출된 URL입니다."))] = "",
    options: Options = None,
    at: Annotated[str, typer.Option("--at", help=say("When it came; now.", "도착 시각(기본: 지금)."))] = "",
    as_json: AsJson = False,
) -> None:
    """Try a payload on a channel system, without a server."""
    from waymark.sources.channel_systems import system_of
    from waymark.sources.webhook_trial import TrialRequest, run_trial

    recipe = system_of(name)
    tried = TrialRequest(
        body=read(payload),
        headers=_headers(headers, payload),
        now=_moment(at) if at else datetime.now(UTC),
        secret=secret_text(secret) if secret else "",
        url=url,
        tail=url.rpartition("/webhook/")[2] if "/webhook/" in url else "",
        options=pairs(options),
    )
    outcome = run_trial(recipe, tried)
    if as_json:
        from dataclasses import asdict

        print_json(asdict(outcome))
    else:
        _show(outcome)
    if not outcome.good:
        raise typer.Exit(1)


def secret_text(given: str) -> str:
    """Return a secret as given, or ask for it."""
    if given != "-":
        return given
    return str(typer.prompt(say("Secret", "비밀 값"), hide_input=True, err=True)).strip()


def pairs(given: list[str] | None) -> dict[str, str]:
    """Return options given as `NAME=VALUE`."""
    wrong = [pair for pair in given or () if "=" not in pair]
    if wrong:
        raise CommandError(f"write an option as NAME=VALUE, not {wrong[0]!r}", exit_code=2)
    return dict(pair.split("=", 1) for pair in given or ())


def read(path: Path) -> bytes:
    """Return the content of the file at `path`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"--at wants a time such as 2026-11-22T09:15:00+09:00, not {text!r}", exit_code=2) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _headers(asked: Path | None, payload: Path) -> dict[str, str]:
    """Return the headers in a file, one `Name: value` a line; `x.headers` may stand beside `x.json`."""
    form = payload.suffix == ".form"
    found = {"content-type": "application/x-www-form-urlencoded" if form else "application/json"}
    path = asked or payload.with_suffix(".headers")
    if asked is None and not path.exists():
        return found
    for number, line in enumerate(read(path).decode("utf-8").splitlines(), start=1):
        name, colon, value = line.partition(":")
        if line.strip() and not colon:
            raise CommandError(f"{path}:{number}: a header is written `Name: value`", exit_code=2)
        if colon:
            found[name.strip().lower()] = value.strip()
    return found


def _show(outcome: "TrialOutcome") -> None:
    if outcome.verification:
        good = outcome.verification == "verified"
        out.print(f"{say('signature', '서명')}: {outcome.verification}", style="green" if good else "red")
    if outcome.handshake is not None:
        out.print(f"{say('a handshake, answered with', '핸드셰이크 응답')}: {outcome.handshake!r}", markup=False)
        return
    counts = say(
        f"{outcome.events} events, {outcome.ignored} ignored, {len(outcome.made)} touchpoints",
        f"이벤트 {outcome.events}개, 무시 {outcome.ignored}개, 접점 {len(outcome.made)}개",
    )
    out.print(counts, style="bold")
    for made in outcome.made:
        out.print(f"touchpoints[{made.entry}]", style="cyan", markup=False)
        print_json(made.document)
        for complaint in made.complaints:
            out.print(f"  ✗ {complaint.path}: {complaint.message}", style="red", markup=False, highlight=False)
