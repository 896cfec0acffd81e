"""Reads the privacy policy: how personal data is treated before it is published. Ingest checks it when it starts.

    default:
      text: encrypt                # keep (the default), drop, hmac, encrypt
      agent: hmac
      refs: {card_no: drop}
      attributes: {"*": keep, card_number: drop, data.buyer.name: encrypt}
      identifiers: {phone: hmac, email: hmac, advertising_id: drop}
      dead_letters: drop           # keep no bytes of what was refused
    sources:
      survey: {text: drop}         # over the default, member by member

Treatments of identifiers hold for all sources: plain from one source and hidden from another, a value would not link.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from schemas.strict_yaml import yaml_text

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_ANY: Final = "*"
_QUOTED = re.compile(r"<PrivacyTreatment\.[A-Z]+: ('[a-z]+')>")


class PrivacyPolicyError(ValueError):
    """The policy file cannot be read or is wrong; `problems` lists everything wrong with it, one line each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(self.problems))


class PrivacyTreatment(StrEnum):
    """How the value of a member is treated."""

    KEEP = "keep"
    DROP = "drop"
    HMAC = "hmac"
    ENCRYPT = "encrypt"


_Same = Literal[PrivacyTreatment.KEEP, PrivacyTreatment.DROP, PrivacyTreatment.HMAC]
"""Treatments after which equal values are still equal, for what links and groups."""

Tree = Mapping[str, "PrivacyTreatment | Tree"]
"""Treatments by name, `*` for any other name, level by level."""


class _Rules(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    text: PrivacyTreatment | None = None
    agent: _Same | None = None
    refs: Mapping[str, _Same] = Field(default_factory=dict)
    attributes: Mapping[str, PrivacyTreatment] = Field(default_factory=dict)
    dead_letters: Literal[PrivacyTreatment.KEEP, PrivacyTreatment.DROP] | None = None

    @field_validator("refs")
    @classmethod
    def _names(cls, refs: Mapping[str, _Same]) -> Mapping[str, _Same]:
        return _all_names(refs)

    @field_validator("attributes")
    @classmethod
    def _paths(cls, attributes: Mapping[str, PrivacyTreatment]) -> Mapping[str, PrivacyTreatment]:
        for path in attributes:
            if not all(path.split(".")):
                msg = f"{path!r} is no path; write names with single dots between them"
                raise ValueError(msg)
        _tree(attributes)
        return attributes


class _Default(_Rules):
    identifiers: Mapping[str, _Same] = Field(default_factory=dict)

    @field_validator("identifiers")
    @classmethod
    def _types(cls, identifiers: Mapping[str, _Same]) -> Mapping[str, _Same]:
        return _all_names(identifiers)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    default: _Default = _Default()
    sources: Mapping[str, _Rules] = Field(default_factory=dict)


class PrivacyRules:
    """How the touchpoints of one source are treated; `inert` when they stay as they are."""

    def __init__(self, default: _Default, own: _Rules) -> None:
        self.text = own.text or default.text or PrivacyTreatment.KEEP
        self.agent: PrivacyTreatment = own.agent or default.agent or PrivacyTreatment.KEEP
        self.refs: Mapping[str, PrivacyTreatment] = {**default.refs, **own.refs}
        self.attributes = _tree({**default.attributes, **own.attributes})
        self.identifiers: Mapping[str, PrivacyTreatment] = default.identifiers
        self.keeps_dead_letters = (own.dead_letters or default.dead_letters) is not PrivacyTreatment.DROP

    @property
    def treatments(self) -> frozenset[PrivacyTreatment]:
        """Every treatment that the rules ask for."""
        asked = {self.text, self.agent, *self.refs.values(), *self.identifiers.values(), *_leaves(self.attributes)}
        return frozenset(asked)

    @property
    def inert(self) -> bool:
        """Whether touchpoints stay as they are."""
        return self.treatments == {PrivacyTreatment.KEEP}


class PrivacyPolicy:
    """The rules of every source."""

    def __init__(self, file: Any = None) -> None:
        """Read the content of a policy file; None stands for an empty one. Raises `PrivacyPolicyError`."""
        try:
            read = _File.model_validate(file if file is not None else {})
        except ValidationError as error:
            raise PrivacyPolicyError(_problem(one) for one in error.errors()) from None
        self._others = PrivacyRules(read.default, _Rules())
        self._sources = _by_source(read)
        every = [self._others, *self._sources.values()]
        self.treatments = frozenset[PrivacyTreatment]().union(*(rules.treatments for rules in every))
        self.inert = all(rules.inert and rules.keeps_dead_letters for rules in every)

    @classmethod
    def read(cls, path: str) -> Self:
        """Read the file at `path`; an empty path is the policy that keeps everything. Raises `PrivacyPolicyError`."""
        if not path:
            return cls()
        try:
            text = yaml_text.read(Path(path))
        except yaml_text.UnreadableTextError as error:
            raise PrivacyPolicyError([f"{path}: {error}"]) from None
        problems = list(text.doubled)
        try:
            policy = cls(text.document)
        except PrivacyPolicyError as error:
            problems += [text.located(problem) for problem in error.problems]
        if problems:
            raise PrivacyPolicyError(f"{path}: {problem}" for problem in problems)
        return policy

    def of(self, source: str) -> PrivacyRules:
        """Return the rules for the source of this name."""
        return self._sources.get(source, self._others)

    def lacks(self, *, secret: bool, keys: bool) -> list[str]:
        """Return which settings this policy needs and does not have, one line each."""
        missing = []
        if PrivacyTreatment.HMAC in self.treatments and not secret:
            missing.append("the policy asks for hmac: set WAYMARK_INGEST_PRIVACY_SECRET (and the journey API's)")
        if PrivacyTreatment.ENCRYPT in self.treatments and not keys:
            missing.append("the policy asks for encrypt: set WAYMARK_INGEST_PRIVACY_KEYS")
        return missing


def _by_source(read: _File) -> dict[str, PrivacyRules]:
    """Return the rules of each source over the default; raises `PrivacyPolicyError` where the two contradict."""
    rules: dict[str, PrivacyRules] = {}
    problems: list[str] = []
    for name, own in read.sources.items():
        try:
            rules[name] = PrivacyRules(read.default, own)
        except ValueError as error:
            problems.append(f"sources.{name}.attributes, over the default: {error}")
    if problems:
        raise PrivacyPolicyError(problems)
    return rules


def _all_names(named: Mapping[str, _Same]) -> Mapping[str, _Same]:
    for name in named:
        if name != _ANY and not _NAME.fullmatch(name):
            msg = f"{name!r} is no name; use lower-case letters, digits and underscores, or '*'"
            raise ValueError(msg)
    return named


def _tree(paths: Mapping[str, PrivacyTreatment]) -> Tree:
    tree: dict[str, Any] = {}
    for path, treatment in sorted(paths.items()):
        *way, last = path.split(".")
        node = tree
        for step in way:
            below = node.setdefault(step, {})
            if not isinstance(below, dict):
                msg = f"{path!r} lies inside something that is treated as a whole already"
                raise ValueError(msg)
            node = below
        node[last] = treatment  # what lies inside it comes later: a path sorts behind its beginnings
    return tree


def _leaves(tree: Tree) -> Iterable[PrivacyTreatment]:
    for node in tree.values():
        if isinstance(node, PrivacyTreatment):
            yield node
        else:
            yield from _leaves(node)


def _problem(error: Any) -> str:
    place = ".".join(str(step) for step in error["loc"])
    if error["type"] == "extra_forbidden" and error["loc"][-1] == "identifiers":
        return f"{place}: identifiers are treated alike for all sources; put them under `default`"
    if error["type"] in {"literal_error", "enum"}:
        allowed = _QUOTED.sub(r"\1", error["ctx"]["expected"])
        return f"{place}: use one of {allowed}"
    return f"{place}: {error['msg'].removeprefix('Value error, ')}"
