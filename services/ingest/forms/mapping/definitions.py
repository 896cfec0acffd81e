"""What a file may say of a value and of a condition, as the files of channel systems write it.

The other fronts say less, each in the words that its files have always had. Unknown members are errors everywhere, so
that a misspelt one is noticed.
"""

import msgspec

Scalar = str | int | float | bool | None


class EventCondition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A condition that is more than a value or a list of them. Case does not matter.

    `same_as` and `differs_from` name another path. Both values must be there, and here case does matter. `not_in` and
    `other_domain_than` are about the e-mail addresses in a value, such as a header's: none of them stands in the list
    at another path (commas between; `@DOMAIN` is every address of it), or is of the domain of the address there.
    """

    one_of: tuple[Scalar, ...] | None = None
    none_of: tuple[Scalar, ...] | None = None
    exists: bool | None = None
    starts_with: str | None = None
    ends_with: str | None = None
    at_least: float | None = None
    same_as: str | None = None
    differs_from: str | None = None
    not_in: str | None = None
    other_domain_than: str | None = None


Wanted = Scalar | list[Scalar] | EventCondition
When = dict[str, Wanted]
"""Conditions by path; all must hold."""


class ValueSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value that is made: found at `path` or by `template` and worked on; of several, the first that gives one.

    In this order: `sum` adds up what stands at `[]`, `html` takes tags off, `pattern` takes what its group holds, `map`
    translates (`otherwise` stands for what it does not know), `time` reads a time, `since` gives the seconds from
    another time, `number` reads a number, which is multiplied by `times`.
    """

    path: str | tuple[str, ...] = ()
    template: str | tuple[str, ...] = ()
    sum: bool = False
    html: bool = False
    pattern: str | None = None
    map: dict[str, Scalar] | None = None
    otherwise: Scalar | msgspec.UnsetType = msgspec.UNSET
    time: str | None = None
    zone: str = "UTC"
    """An IANA name, or `@option.NAME`, whose value is one."""

    since: str | None = None
    number: bool = False
    times: float = 1.0
