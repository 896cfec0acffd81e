"""`waymark alerts secrets`: which master keys seal vendors' credentials, and how an old key is taken away."""

import os
import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from waymark.console import CommandError, out, print_json, say, settings_wrong
from waymark.options import AsJson, examples

if TYPE_CHECKING:
    from services.alerts.deliver.credential_store import ResealCount
    from services.alerts.settings import AlertsSettings

Reseal = Annotated[
    bool,
    typer.Option(
        "--reseal",
        help=say("Seal all of them anew under the first master key.", "모두 첫 번째 마스터 키로 다시 봉인합니다."),
    ),
]


def add(group: typer.Typer) -> None:
    """Add the command to the group `waymark alerts`."""
    group.command(
        "secrets",
        help=say(
            "Count the sealed credentials of vendors (tokens, keys, passwords) by master key, and seal them anew. "
            "Reads WAYMARK_ALERTS_SECRET_KEYS or WAYMARK_ALERTS_SECRET_KEYS_FILE.",
            "봉인된 외부 자격 증명을 마스터 키별로 세고, 다시 봉인합니다. "
            "WAYMARK_ALERTS_SECRET_KEYS 또는 WAYMARK_ALERTS_SECRET_KEYS_FILE을 읽습니다.",
        ),
        epilog=examples(
            "waymark alerts secrets",
            "WAYMARK_ALERTS_SECRET_KEYS=$NEW,$OLD waymark alerts secrets --reseal",
        ),
    )(show_secrets)


def show_secrets(*, reseal: Reseal = False, as_json: AsJson = False) -> None:
    """Count the sealed credentials, or seal them anew."""
    from services.alerts.deliver import credential_store
    from services.runtime.credentials.sealing import SecretSealer
    from services.runtime.postgres.pools import Connection
    from waymark.database import run_in_transaction
    from waymark.target import find_target

    seal = SecretSealer(_settings().master_keys)
    if not seal.protects:
        raise CommandError(
            say(
                "set WAYMARK_ALERTS_SECRET_KEYS (or …_FILE) to the keys that the alert service has; the first seals",
                "알림 서비스와 같은 WAYMARK_ALERTS_SECRET_KEYS(또는 …_FILE)를 설정하세요. 첫 번째 키로 봉인합니다",
            ),
            exit_code=2,
        )

    async def work(connection: Connection) -> "ResealCount":
        if reseal:
            return await credential_store.reseal(connection, seal, secrets.token_bytes)
        return await credential_store.count(connection, seal)

    _tell(run_in_transaction(find_target(os.environ).postgres, work), reseal=reseal, as_json=as_json)


def _tell(found: "ResealCount", *, reseal: bool, as_json: bool) -> None:
    if as_json:
        print_json({"resealed": found.resealed, "current": found.current, "unopenable": found.unopenable})
    else:
        verb = say("sealed anew", "다시 봉인") if reseal else say("under an older key", "이전 키로 봉인됨")
        out.print(
            say(
                f"{verb}: {found.resealed}; under the first key: {found.current}; unopenable: {found.unopenable}",
                f"{verb}: {found.resealed}, 첫 번째 키: {found.current}, 열 수 없음: {found.unopenable}",
            ),
            highlight=False,
        )
    if found.unopenable:
        raise CommandError(
            say(
                "some were sealed under a key that is not given: add it behind the first, or set those credentials "
                "anew with PATCH /v1/endpoints/{id}",
                "주어지지 않은 키로 봉인된 것이 있습니다. 그 키를 뒤에 추가하거나 "
                "PATCH /v1/endpoints/{id}로 다시 설정하세요",
            )
        )


def _settings() -> "AlertsSettings":
    from services.alerts.settings import AlertsSettings
    from services.runtime.settings import SettingsError

    try:
        return AlertsSettings.load(os.environ)
    except SettingsError as error:
        raise CommandError(settings_wrong(error.problems), exit_code=2) from error
