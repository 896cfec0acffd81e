"""One rule of a mapping, applied: the members that it makes of a message, and those that it could not read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic

from services.ingest.forms.mapping.faults import UnreadableValueError
from services.ingest.forms.mapping.members import put
from services.ingest.forms.mapping.values import Context, Reader


def always(_: object) -> bool:
    """Return true: the test of a rule that says nothing of when it holds."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableMember:
    """A member that could not be read: its name, the reason, and the place of the value if the front names places."""

    member: str
    message: str
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingRule(Generic[Context]):
    """A compiled rule: when it holds, and how it reads each member (`occurred_at`, `customer.phone`)."""

    members: Mapping[str, Reader[Context]]
    test: Callable[[Context], bool] = always

    def fill(self, document: dict[str, Any], context: Context) -> list[UnreadableMember]:
        """Put what can be read of `context` into `document`; return what cannot.

        Whether that makes a valid touchpoint is judged later, as it is for every producer.
        """
        unread = []
        for name, read in self.members.items():
            try:
                value = read(context)
            except UnreadableValueError as problem:
                unread.append(UnreadableMember(member=name, message=str(problem), place=problem.place))
                continue
            if value is not None:
                put(document, name, value)
        return unread
