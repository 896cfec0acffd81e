"""Every setting of every process, found by importing the modules that declare them, and `.env.example` made of them.

`python -m tests.architecture.settings` writes `.env.example` again; `make env-example` runs it.
"""

import importlib
import textwrap
from pathlib import Path

from pydantic import SecretStr

from services.runtime.settings import CommonSettings, Settings
from tests.architecture.tree import PACKAGES, ROOT, dotted, modules

EXAMPLE = ROOT / ".env.example"

_HEAD = """\
# Every setting of every process, with its default. A process reads its own part and the shared one, and refuses to
# start on a name under its own prefix that is not listed here. Lines are commented out: uncomment what you change.
"""


def declared() -> list[type[Settings]]:
    """Return the settings classes, the shared ones first, then by prefix."""
    for path in modules(*PACKAGES):
        if "Settings(" in path.read_text(encoding="utf-8"):
            importlib.import_module(dotted(path))
    ours = [cls for cls in _subclasses(Settings) if cls.__module__.split(".")[0] in PACKAGES]  # tests declare some, too
    found = {cls.env_prefix: cls for cls in ours if cls is not CommonSettings and hasattr(cls, "env_prefix")}
    found.pop(CommonSettings.env_prefix, None)
    return [CommonSettings, *(found[prefix] for prefix in sorted(found))]


def example() -> str:
    """Return the text of `.env.example`."""
    return _HEAD + "".join(_section(cls) for cls in declared())


def _section(cls: type[Settings]) -> str:
    own = {name: field for name, field in cls.model_fields.items() if cls.variable_of(name).startswith(cls.env_prefix)}
    title = "every process" if cls is CommonSettings else cls.env_prefix + "*"
    lines = [f"\n# --- {title} ---\n"]
    for name, field in own.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        sentence = "\n".join(textwrap.wrap(field.description or "", 116, initial_indent="# ", subsequent_indent="# "))
        lines.append(f"\n{sentence}\n# {cls.variable_of(name)}={_shown(default)}\n")
    return "".join(lines)


def _shown(default: object) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)


def _subclasses(cls: type[Settings]) -> list[type[Settings]]:
    return [found for child in cls.__subclasses__() for found in (child, *_subclasses(child))]


def main(path: Path = EXAMPLE) -> None:
    """Write `.env.example`."""
    path.write_text(example(), encoding="utf-8")


if __name__ == "__main__":
    main()
