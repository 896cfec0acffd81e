"""Every fault there is. A module of this package declares `FAULTS`, a tuple; that is all that registering takes."""

import importlib
import pkgutil
from functools import cache

from tests.faults.fault import Fault


@cache
def registered() -> dict[str, Fault]:
    """Every fault by its id, in the order of their numbers."""
    found: dict[str, Fault] = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        for fault in importlib.import_module(module.name).FAULTS:
            assert fault.id not in found, f"two faults are called {fault.id}"
            found[fault.id] = fault
    return {name: found[name] for name in sorted(found, key=_place)}


def _place(name: str) -> tuple[str, int, str]:
    """F5 before F10; F9b after F9."""
    letters = name.rstrip("0123456789abcdefghijklmnopqrstuvwxyz")
    rest = name[len(letters) :]
    digits = "".join(one for one in rest if one.isdigit())
    return letters, int(digits or 0), rest
