"""Checks what an administrator gives for an endpoint against its kind: address, options, credentials.

Every mistake is found at once, and each says how to put it right. Nothing that was given is quoted, since it may be
secret.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import yarl

from services.alerts.deliver.http.target_guard import ForbiddenTargetError, TargetGuard
from services.alerts.deliver.notifiers.notifier import (
    URL,
    AddressUse,
    Notifier,
    NotifierOptions,
    ReaderOptions,
    credential_names,
)
from services.alerts.deliver.notifiers.registry import notifiers


@dataclass(frozen=True, slots=True, kw_only=True)
class FormMistake:
    """One thing that is wrong: where (`options.channel`), a code for programs, and a sentence for people."""

    path: str
    code: str
    message: str


class EndpointFormError(Exception):
    """What was given does not make an endpoint; `mistakes` has all of it."""

    def __init__(self, mistakes: list[FormMistake]) -> None:
        super().__init__(", ".join(mistake.code for mistake in mistakes))
        self.mistakes = mistakes

    @property
    def code(self) -> str:
        """The code of the whole: kind_unknown, target_forbidden (nothing but the address), or endpoint_wrong."""
        codes, paths = {one.code for one in self.mistakes}, {one.path for one in self.mistakes}
        if "kind_unknown" in codes:
            return "kind_unknown"
        return "target_forbidden" if paths == {"url"} and "missing" not in codes else "endpoint_wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenEndpoint:
    """What was given; None and missing names stay as they are when an endpoint is changed."""

    url: str | None = field(default=None, repr=False)
    options: Mapping[str, object] | None = None
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedEndpoint:
    """What is stored: the address as it may be shown, the options, and the credentials that are to be sealed."""

    url: str | None
    options: Mapping[str, object] | None
    credentials: Mapping[str, str] = field(repr=False)


def check_new(kind: str, given: GivenEndpoint, guard: TargetGuard) -> CheckedEndpoint:
    """Return what to store for a new endpoint.

    Raises:
        EndpointFormError: the kind is unknown, or something is missing or wrong.
    """
    notifier = _notifier(kind)
    url = given.url or (notifier.default_url if notifier.address is AddressUse.DEFAULT else None)
    mistakes = [*_of_options(notifier, given.options or {}), *_of_credentials(notifier, given.credentials)]
    if url is None:
        mistakes.append(FormMistake(path="url", code="missing", message=f"The kind {kind} needs an address."))
    else:
        mistakes += _of_url(notifier, url, guard)
    for spec in notifier.credentials:
        if spec.required and not given.credentials.get(spec.name):
            path = f"credentials.{spec.name}"
            mistakes.append(FormMistake(path=path, code="missing", message=f"It is needed: {spec.description}"))
    if mistakes:
        raise EndpointFormError(mistakes)
    return _checked(notifier, GivenEndpoint(url=url, options=given.options or {}, credentials=given.credentials))


def check_change(kind: str, given: GivenEndpoint, guard: TargetGuard) -> CheckedEndpoint:
    """Return what to store of a change.

    Raises:
        EndpointFormError: something is wrong.
    """
    notifier = _notifier(kind)
    mistakes = _of_credentials(notifier, given.credentials)
    mistakes += _of_options(notifier, given.options) if given.options is not None else []
    mistakes += _of_url(notifier, given.url, guard) if given.url is not None else []
    if mistakes:
        raise EndpointFormError(mistakes)
    return _checked(notifier, given)


def _notifier(kind: str) -> Notifier:
    found = notifiers().get(kind)
    if found is None:
        message = f"There is no such kind of endpoint; there are {', '.join(notifiers())}."
        raise EndpointFormError([FormMistake(path="kind", code="kind_unknown", message=message)])
    return found


def _checked(notifier: Notifier, given: GivenEndpoint) -> CheckedEndpoint:
    if given.url is None or notifier.address is not AddressUse.SECRET:
        return CheckedEndpoint(url=given.url, options=given.options, credentials=given.credentials)
    parsed = yarl.URL(given.url)
    port = f":{parsed.explicit_port}" if parsed.explicit_port else ""
    shown = f"{parsed.scheme}://{parsed.host}{port}/…"
    return CheckedEndpoint(url=shown, options=given.options, credentials={**given.credentials, URL: given.url})


def _of_url(notifier: Notifier, url: str, guard: TargetGuard) -> list[FormMistake]:
    scheme = url.partition("://")[0]
    if scheme not in notifier.schemes:
        wanted = " or ".join(sorted(f"{one}://" for one in notifier.schemes))
        return [FormMistake(path="url", code="scheme", message=f"The address of this kind begins with {wanted}.")]
    try:
        if scheme in {"smtp", "smtps"}:
            guard.check_mail_server(url)
        else:
            guard.check_url(url)
    except ForbiddenTargetError as error:
        message = "Messages may not go to this address; docs/alerts.md says which are allowed, and why."
        return [FormMistake(path="url", code=error.refusal, message=message)]
    return []


def _of_options(notifier: Notifier, options: Mapping[str, object]) -> list[FormMistake]:
    try:
        read = msgspec.convert(options, notifier.options)
    except msgspec.ValidationError as error:
        text, _, where = str(error).partition(" - at `$")
        path = "options" + where.rstrip("`")
        return [FormMistake(path=path, code="option_wrong", message=f"{text}. See GET /v1/endpoint-kinds.")]
    found = [FormMistake(path=path, code="option_wrong", message=text) for path, text in _of_zone(read)]
    if notifier.check is not None:
        found += [FormMistake(path=path, code="option_wrong", message=text) for path, text in notifier.check(read)]
    return found


def _of_zone(options: NotifierOptions) -> Iterator[tuple[str, str]]:
    if not isinstance(options, ReaderOptions):
        return
    try:
        ZoneInfo(options.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield "options.time_zone", "There is no such time zone; names are those of IANA, such as Asia/Seoul."


def _of_credentials(notifier: Notifier, credentials: Mapping[str, str]) -> list[FormMistake]:
    known = credential_names(notifier) - {URL}
    unknown = sorted(set(credentials) - known)
    takes = ", ".join(sorted(known)) or "none"
    return [
        FormMistake(
            path=f"credentials.{name}",
            code="credential_unknown",
            message=f"The kind {notifier.kind} has no such credential; it takes {takes}.",
        )
        for name in unknown
    ] + [
        FormMistake(
            path=f"credentials.{name}", code="credential_wrong", message="It is empty or has control characters."
        )
        for name, text in credentials.items()
        if name in known and (not text or any(ord(character) < 0x20 or character == "\x7f" for character in text))
    ]
