"""Reads the files of channel systems, both shipped ones and a company's own, and reports every problem in them.

A company's file replaces the shipped file of the same name.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec

from schemas.strict_yaml import shapes, yaml_text
from schemas.strict_yaml.yaml_text import YamlText
from schemas.vocabulary import Channel
from services.ingest.forms.mapping import members
from services.ingest.forms.mapping.faults import MappingRuleError
from services.ingest.forms.webhooks.mapping.compiler import SystemProblem
from services.ingest.forms.webhooks.mapping.delivery_mapper import DeliveryMapper, UnusableSystemError
from services.ingest.forms.webhooks.mapping.system_schema import ChannelSystem, HmacSignature, TokenSignature

SHIPPED = Path(__file__).parents[1] / "systems"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SIGNED = re.compile(r"\{(?!body\}|timestamp\}|method\}|url\})[^{}]*\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemFileProblem:
    """One problem in a file: its line (0 if there is none), its place, and how to fix it."""

    file: str
    line: int
    place: str
    message: str

    def __str__(self) -> str:
        """Return the problem in the format of a compiler message."""
        at = f":{self.line}" if self.line else ""
        return f"{self.file}{at}: {self.place + ': ' if self.place else ''}{self.message}"


class SystemFilesError(Exception):
    """Some files cannot be used; `problems` lists everything that is wrong with them."""

    def __init__(self, problems: Iterable[SystemFileProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def load(folder: Path | None = None) -> dict[str, DeliveryMapper]:
    """Return every system by name: those shipped, and over them those of `folder`.

    Raises:
        SystemFilesError: with the problems of all files.
    """
    return dict(shipped()) if folder is None else {**shipped(), **_folder(folder)}


@cache
def shipped() -> Mapping[str, DeliveryMapper]:
    """Return the systems that Waymark ships, by name."""
    return _folder(SHIPPED)


def _folder(folder: Path) -> dict[str, DeliveryMapper]:
    found: dict[str, DeliveryMapper] = {}
    problems: list[SystemFileProblem] = []
    if not folder.is_dir():
        problems.append(SystemFileProblem(file=str(folder), line=0, place="", message="there is no such folder"))
    for path in sorted(folder.glob("*.yaml")):
        try:
            mapper = read(path)
        except SystemFilesError as error:
            problems += error.problems
        else:
            found[mapper.system.name] = mapper
    if problems:
        raise SystemFilesError(problems)
    return found


def read(path: Path) -> DeliveryMapper:
    """Read one file.

    Raises:
        SystemFilesError: with everything that is wrong with it.
    """
    try:
        return _checked(yaml_text.read(path), str(path), path.stem)
    except yaml_text.UnreadableTextError as error:
        raise _unreadable(str(path), error) from None


def parse(text: str, file: str, stem: str) -> DeliveryMapper:
    """Read one file's text; `stem` is the name that it must give its system. Raises as `read`."""
    try:
        return _checked(YamlText(text), file, stem)
    except yaml_text.UnreadableTextError as error:
        raise _unreadable(file, error) from None


def _checked(text: YamlText, file: str, stem: str) -> DeliveryMapper:
    if misshapen := [*_doubled(file, text), *_misshapen(file, text)]:
        raise SystemFilesError(misshapen)
    system = msgspec.convert(text.document, ChannelSystem)
    problems = list(_problems(system, stem))
    try:
        mapper = DeliveryMapper(system)
    except UnusableSystemError as error:
        problems += error.problems
    if problems:
        raise SystemFilesError(_problem(file, text, problem) for problem in problems)
    return mapper


def _problem(file: str, text: YamlText, problem: SystemProblem) -> SystemFileProblem:
    line = text.line_of(problem.place) or 1
    return SystemFileProblem(file=file, line=line, place=problem.place, message=problem.message)


def _doubled(file: str, text: YamlText) -> Iterator[SystemFileProblem]:
    for problem in text.doubled:
        place, _, message = problem.rpartition(": ")
        yield _problem(file, text, SystemProblem(place=place, message=message))


def _misshapen(file: str, text: YamlText) -> Iterator[SystemFileProblem]:
    for one in shapes.shape_problems(text.document, ChannelSystem):
        line = text.line_of(yaml_text.path_text(one.at)) or 1
        yield SystemFileProblem(file=file, line=line, place=yaml_text.path_text(one.place), message=one.message)


def _unreadable(file: str, error: yaml_text.UnreadableTextError) -> SystemFilesError:
    return SystemFilesError([SystemFileProblem(file=file, line=error.line, place="", message=f"this {error.reason}")])


def _problems(system: ChannelSystem, stem: str) -> Iterator[SystemProblem]:
    if system.name != stem or not _NAME.fullmatch(system.name):
        yield SystemProblem(
            place="name", message=f"say {stem!r}, as the file is called: lower case, digits, underscores"
        )
    if not system.touchpoints:
        yield SystemProblem(place="touchpoints", message="say at least one touchpoint that an event becomes")
    for number, entry in enumerate(system.touchpoints):
        try:
            fields = {**members.flattened(system.defaults), **members.flattened(entry.fields)}
        except MappingRuleError:
            continue  # the compiler reports its place
        yield from _member_problems(f"touchpoints[{number}]", fields, native=entry.native is not None)
    yield from _signature_problems(system)
    yield from _setup_problems(system)


def _setup_problems(system: ChannelSystem) -> Iterator[SystemProblem]:
    for number, name in enumerate(system.made):
        if name not in system.options:
            yield SystemProblem(place=f"made[{number}]", message="say it among the `options`, too")
    for number, network in enumerate(system.addresses):
        if not _is_network(network):
            yield SystemProblem(place=f"addresses[{number}]", message="no network such as 203.0.113.0/24")
    if set(system.methods) - {"GET", "HEAD", "POST"}:
        yield SystemProblem(place="methods", message="only POST, GET and HEAD")


def _member_problems(place: str, fields: Mapping[str, Any], *, native: bool) -> Iterator[SystemProblem]:
    names = {name.partition(".")[0] for name, spec in fields.items() if spec is not None}
    if not native:
        for name in members.missing(names):
            yield SystemProblem(place=f"{place}.fields", message=f"`{name}` is missing")
    for name, hint in members.unknown(names, members.MEMBERS | members.IGNORED):
        yield SystemProblem(place=f"{place}.fields.{name}", message=f"a touchpoint has no `{name}`{hint}")
    channel = fields.get("channel")
    if isinstance(channel, str) and "{" not in channel and channel not in set(Channel):
        yield SystemProblem(place=f"{place}.fields.channel", message=f"use one of {', '.join(Channel)}")


def _signature_problems(system: ChannelSystem) -> Iterator[SystemProblem]:
    signature = system.signature
    if isinstance(signature, HmacSignature):
        unknown = _SIGNED.search(signature.signed)
        if unknown is not None or "{body}" not in signature.signed:
            message = "`signed` is made of {body}, which it needs, {timestamp}, {method} and {url}"
            yield SystemProblem(place="signature.signed", message=message)
        if ("{timestamp}" in signature.signed) != (signature.timestamp is not None):
            yield SystemProblem(place="signature", message="`{timestamp}` in `signed` and `timestamp` go together")
    if isinstance(signature, TokenSignature):
        for number, carrier in enumerate(signature.carriers):
            if bool(carrier.header) == carrier.path:
                place = f"signature.carriers[{number}]"
                yield SystemProblem(place=place, message="say either `header` or `path: true`")
        if not signature.carriers:
            yield SystemProblem(place="signature.carriers", message="say where the token stands")


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True
