"""Channel systems as the command sees them: found, described for people, with the settings that ingest would have."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.ingest.forms.webhooks.mapping import system_files
from services.ingest.forms.webhooks.mapping.delivery_mapper import DeliveryMapper
from services.ingest.forms.webhooks.mapping.system_schema import HmacSignature, TokenSignature
from services.ingest.settings import IngestSettings
from services.runtime.settings import SettingsError
from waymark.console import CommandError, say


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemFacts:
    """What to know about a channel system before connecting it."""

    name: str
    title: Mapping[str, str]
    documentation: str
    signature: str
    addresses: tuple[str, ...]
    options: Mapping[str, str]
    made: tuple[str, ...]
    kinds: tuple[str, ...]

    @property
    def shown_title(self) -> str:
        """Its name in the operator's language."""
        return say(self.title["en"], self.title["ko"])


def settings() -> IngestSettings:
    """Return the settings that ingest would have in this environment; raises `CommandError`."""
    try:
        return IngestSettings.load(os.environ)
    except SettingsError as error:
        raise CommandError("\n".join(error.problems)) from error


def systems() -> dict[str, DeliveryMapper]:
    """Return every system by name; raises `CommandError` with all that is wrong in a company's own files."""
    folder = settings().systems
    try:
        return system_files.load(Path(folder) if folder else None)
    except system_files.SystemFilesError as error:
        raise CommandError(str(error)) from error


def system_of(name_or_file: str) -> DeliveryMapper:
    """Return a system by its name or its file.

    Raises:
        CommandError: there is none, or its file cannot be used; says all that is wrong.
    """
    path = Path(name_or_file)
    if path.suffix in {".yaml", ".yml"}:
        try:
            return system_files.read(path)
        except system_files.SystemFilesError as error:
            raise CommandError(str(error)) from error
    known = systems()
    if name_or_file not in known:
        raise CommandError(f"there is no system {name_or_file!r}; there are {', '.join(sorted(known))}", exit_code=2)
    return known[name_or_file]


def facts_of(recipe: DeliveryMapper) -> SystemFacts:
    """Return what to know about a system."""
    system = recipe.system
    return SystemFacts(
        name=system.name,
        title={"en": system.title.en, "ko": system.title.ko},
        documentation=system.documentation,
        signature=_signature(recipe),
        addresses=system.addresses,
        options=system.options,
        made=system.made,
        kinds=_kinds(recipe),
    )


def options_of(
    recipe: DeliveryMapper, given: Mapping[str, str], held: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the options of a source, and which of them are generated here because nobody gave them.

    `held` are those of the source so far: what was made up for it once is kept, as its vendor knows it.

    Raises:
        CommandError: the system knows no such option.
    """
    known = recipe.system.options
    for name in given:
        if name not in known:
            there = ", ".join(known) or say("none", "없음")
            raise CommandError(
                say(
                    f"{recipe.system.name} has no option {name!r}; its options: {there}",
                    f"{recipe.system.name}에는 옵션 {name!r}이(가) 없습니다. 쓸 수 있는 옵션: {there}",
                ),
                exit_code=2,
            )
    made = {name: held.get(name) or secrets.token_urlsafe(24) for name in recipe.system.made if not given.get(name)}
    return {**given, **made}, made


def url_of(source: str, recipe: DeliveryMapper, *, said: str = "", secret: str = "") -> str:
    """Return the URL that a source's vendor calls; `secret` stands at its end where the system carries it there."""
    url = said or f"{settings().public_url.rstrip('/')}/v1/sources/{source}/webhook"
    signature = recipe.system.signature
    in_path = isinstance(signature, TokenSignature) and any(carrier.path for carrier in signature.carriers)
    return f"{url}/{secret or 'SECRET'}" if in_path else url


def _kinds(recipe: DeliveryMapper) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for entry in recipe.system.touchpoints:
        kind = entry.fields.get("kind", recipe.system.defaults.get("kind"))
        for each in kind.get("map", {}).values() if isinstance(kind, dict) else [kind]:
            found[str(each or say("whatever it says", "보낸 그대로"))] = None
    return tuple(found)


def _signature(recipe: DeliveryMapper) -> str:
    signature = recipe.system.signature
    if isinstance(signature, HmacSignature):
        return f"hmac-{signature.algorithm} {signature.header}"
    if isinstance(signature, TokenSignature):
        places = [carrier.header or say("end of the URL", "URL 끝") for carrier in signature.carriers]
        return f"token {', '.join(dict.fromkeys(places))}"
    return type(signature).__name__.removesuffix("Signature")
