"""Secrets of webhooks: the one that is given or made, sealed and stored beside the binding of its source.

What a secret is sealed under is the process's matter (`WAYMARK_INGEST_SECRET_KEYS`); without a master key it is stored
as it is, and the operator is told.
"""

import secrets
from dataclasses import dataclass, field

from services.ingest.forms.webhooks import binding_administration
from services.ingest.forms.webhooks.binding_administration import MountedFileError, SourceBinding
from services.ingest.forms.webhooks.mapping.delivery_mapper import DeliveryMapper
from services.ingest.forms.webhooks.mapping.system_schema import TokenSignature
from services.ingest.sources.source_administration import SourceNameError
from services.runtime.credentials.sealing import SecretSealer
from services.runtime.postgres.pools import Connection
from waymark.console import CommandError, err, say
from waymark.keys.key_store import wrong_name
from waymark.sources.channel_systems import settings
from waymark.sources.trial_command import secret_text

_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenSecret:
    """What the operator gave: the secret itself, or the name of a mounted file; neither where one is to be made."""

    text: str | None = field(default=None, repr=False)
    mounted: str | None = None


def secret_to_store(secret: str | None, mounted: str | None) -> GivenSecret:
    """Return the given secret; `-` asks for it, which must not keep a transaction waiting. A mounted file wins."""
    if mounted is not None:
        return GivenSecret(mounted=mounted)
    return GivenSecret(text=None if secret is None else secret_text(secret))


async def bind(connection: Connection, binding: SourceBinding) -> None:
    """Bind a source to a system; raises `CommandError` for a name that no source can have."""
    try:
        await binding_administration.bind(connection, binding)
    except SourceNameError as error:
        raise wrong_name(binding.name) from error


async def add_secret(connection: Connection, source: str, secret: str, seal: SecretSealer) -> None:
    """Store one more secret of a source, sealed where a master key is set."""
    sealed = seal.seal(secret, owner=source, nonce=secrets.token_bytes(_NONCE_BYTES))
    await binding_administration.add_secret(connection, source, sealed)


async def add_mounted(connection: Connection, source: str, file: str) -> None:
    """Store the name of a mounted file that holds one more secret; raises `CommandError` for an impossible name."""
    try:
        await binding_administration.add_mounted(connection, source, file)
    except MountedFileError as error:
        raise CommandError(
            f"{file!r} is no file's name: letters, digits, dot, dash, underscore", exit_code=2
        ) from error


async def store_secret(connection: Connection, source: str, given: GivenSecret, recipe: DeliveryMapper) -> str | None:
    """Store the given secret, or a generated one where the vendor repeats ours; return the generated one."""
    if given.mounted is not None:
        await add_mounted(connection, source, given.mounted)
        return None
    signature = recipe.system.signature
    if given.text is None and (not isinstance(signature, TokenSignature) or signature.from_vendor):
        raise CommandError("say --secret (or --mounted): the one that the vendor signs with", exit_code=2)
    made = secrets.token_urlsafe(32) if given.text is None else None
    seal = SecretSealer(settings().master_keys)
    await add_secret(connection, source, made or given.text or "", seal)
    if not seal.protects:
        warning = say(
            "stored as it is: set WAYMARK_INGEST_SECRET_KEYS here and for ingest to have it sealed",
            "암호화하지 않고 저장했습니다. WAYMARK_INGEST_SECRET_KEYS를 설정하면 암호화합니다",
        )
        err.print(warning, style="yellow", highlight=False)
    return made
