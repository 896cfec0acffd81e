"""`waymark privacy`: try a policy out before ingest has it, and open what one encrypted."""

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waymark.console import CommandError, err, out, print_json, say
from waymark.options import AsJson, examples

if TYPE_CHECKING:
    from services.ingest.privacy.policy import PrivacyPolicy
    from services.ingest.settings import IngestSettings
    from waymark.privacy.policy_trial import PolicyBench

_TRIAL_SECRET = "only-for-showing-what-a-policy-would-do"  # noqa: S105  no secret: nothing is published with it

PolicyFile = Annotated[Path, typer.Argument(metavar="FILE", help=say("The policy, YAML.", "정책 YAML 파일입니다."))]
Payload = Annotated[
    Path | None,
    typer.Option("--payload", metavar="FILE", help=say("A touchpoint, JSON; - reads it from stdin.", "접점 JSON.")),
]
SourceName = Annotated[str, typer.Option("--source", metavar="NAME", help=say("As which source.", "소스 이름."))]
Document = Annotated[Path, typer.Argument(metavar="FILE", help=say("JSON; - is stdin.", "JSON 파일, -는 표준 입력."))]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True)
    group.command(
        "check",
        help=say(
            "Check a policy, and show a touchpoint before and after it. Secrets come from the environment, else "
            "made-up ones are used.",
            "정책을 검사하고, 접점이 정책 전후에 어떻게 달라지는지 보여 줍니다.",
        ),
        epilog=examples(
            "waymark privacy check privacy.yaml",
            "waymark privacy check privacy.yaml --payload call.json --source ivr",
        ),
    )(check)
    group.command(
        "open",
        help=say(
            "Open what a policy encrypted, with the keys of WAYMARK_INGEST_PRIVACY_KEYS. Shows personal data.",
            "정책이 암호화한 값을 WAYMARK_INGEST_PRIVACY_KEYS로 풉니다(개인정보 주의).",
        ),
        epilog=examples("curl -s …/v1/customers/id:…/timeline | waymark privacy open -"),
    )(open_sealed)
    app.add_typer(group, name="privacy", help=say("What is kept of personal data.", "개인정보 처리 정책."))


def check(
    file: PolicyFile, *, payload: Payload = None, source: SourceName = "example", as_json: AsJson = False
) -> None:
    """Try a privacy policy on touchpoints."""
    from services.ingest.privacy.policy import PrivacyPolicy, PrivacyPolicyError

    settings = _settings()
    try:
        policy = PrivacyPolicy.read(str(file))
    except PrivacyPolicyError as error:
        raise CommandError("the policy is wrong:\n  " + "\n  ".join(error.problems), exit_code=2) from error
    missing = policy.lacks(secret=bool(settings.privacy_secret.get_secret_value()), keys=bool(settings.sealing_keys))
    for line in missing:
        err.print(f"[yellow]{say('note', '참고')}:[/] ", end="")
        err.print(line, markup=False, highlight=False)
    if payload is None:
        out.print(say("the policy is valid", "정책이 올바릅니다"))
        return
    shown = _bench(policy, settings).show(_read(payload), source, datetime.now(UTC))
    if as_json:
        print_json({"before": shown.before, "after": shown.after, "record_key": shown.record_key})
        return
    out.print(say("before", "전"), style="bold")
    print_json(shown.before)
    out.print(say("after", "후"), style="bold")
    if shown.after is None:
        out.print(say("refused: no identifier is left", "거부됨: 남는 식별자가 없습니다"))
    else:
        print_json(shown.after)
        out.print(say(f"the record is keyed by {shown.record_key}", f"레코드 키: {shown.record_key}"))


def open_sealed(file: Document) -> None:
    """Open the encrypted values of a document."""
    from services.ingest.privacy.value_sealing import ValueSealer
    from waymark.privacy.policy_trial import opened

    keys = _settings().sealing_keys
    if not keys:
        raise CommandError("set WAYMARK_INGEST_PRIVACY_KEYS to the keys that ingest has or had", exit_code=2)
    document, done, failed = opened(_read(file), ValueSealer(keys))
    print_json(document)
    err.print(say(f"opened {done}, not opened {failed}", f"푼 값 {done}개, 풀지 못한 값 {failed}개"))
    if failed:
        raise typer.Exit(1)


def _bench(policy: "PrivacyPolicy", settings: "IngestSettings") -> "PolicyBench":
    from services.ingest.privacy.policy_applier import PolicyApplier
    from services.ingest.privacy.value_sealing import ValueSealer
    from services.ingest.touchpoint import acceptance
    from waymark.privacy.policy_trial import PolicyBench

    secret = settings.privacy_secret.get_secret_value() or _TRIAL_SECRET
    rules = acceptance.AcceptanceRules(
        future_tolerance=timedelta(seconds=settings.future_tolerance_s), phone_region=settings.phone_region
    )
    treating = PolicyApplier(secret.encode(), ValueSealer(settings.sealing_keys or (_TRIAL_SECRET,)))
    return PolicyBench(policy=policy, treating=treating, rules=rules)


def _settings() -> "IngestSettings":
    from services.ingest.settings import IngestSettings
    from services.runtime.settings import SettingsError

    try:
        return IngestSettings.load(os.environ)
    except SettingsError as error:
        raise CommandError("the settings are wrong:\n  " + "\n  ".join(error.problems), exit_code=2) from error


def _read(file: Path) -> Any:
    import orjson

    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return orjson.loads(raw)
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise CommandError(f"{file} is no JSON") from error
