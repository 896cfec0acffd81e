"""The forms of settings: hosts, files, folders, networks, names, each with the message for a wrong value.

Every function returns the value or raises ValueError with a sentence that says what is wrong and what to give. The
sentence never quotes what was given: somebody may have put a secret into the wrong variable.
"""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
_SEGMENT = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._~-]{1,249}")
_KEY_ID = re.compile(r"[0-9a-f]{12}")
_NUMBERED = re.compile(r"[0-9.]+")
MOST_CHARACTERS = 255
"""Of a name of ours: what Kafka and PostgreSQL take, and nobody needs more."""


def is_host(text: str) -> bool:
    """Return whether `text` is an address, or a name that DNS could know."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        labels = text.removesuffix(".").split(".")
        named = len(text) <= 253 and all(_LABEL.fullmatch(label) for label in labels)
        return named and not _NUMBERED.fullmatch(text)  # 10.0.0.300 is no name either
    return True


def host(text: str) -> str:
    """A host to listen on."""
    if not is_host(text):
        msg = "is no address and no host name; give one such as 127.0.0.1, 0.0.0.0 or ::, without port and scheme"
        raise ValueError(msg)
    return text


def file(text: str) -> str:
    """A file that can be read, or nothing."""
    if text:
        path = Path(text)
        if path.is_dir():
            raise ValueError("is a folder; give the name of a file")
        _readable(path, os.R_OK, "file")
    return text


def folder(text: str) -> str:
    """A folder that can be read, or nothing."""
    if text:
        path = Path(text)
        if path.is_file():
            raise ValueError("is a file; give the name of a folder")
        _readable(path, os.R_OK | os.X_OK, "folder")
    return text


def _readable(path: Path, mode: int, kind: str) -> None:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        known = (
            f": {path}" if path.is_absolute() and path.parent.is_dir() else ""
        )  # else it may be anything, a secret too
        msg = f"No such {kind}{known} (looked for from {Path.cwd()}); give the path as this process sees it"
        raise ValueError(msg) from None
    except OSError as error:
        msg = f"the {kind} cannot be looked at: {error.strerror}"
        raise ValueError(msg) from None
    if not os.access(path, mode):
        msg = f"the {kind} cannot be read by this user (id {os.geteuid()}); change its owner or its mode"
        raise ValueError(msg)


def networks(text: str) -> str:
    """Return networks from a comma-separated list."""
    for number, word in enumerate(words(text), start=1):
        try:
            ipaddress.ip_network(word, strict=False)
        except ValueError:
            msg = f"word {number} is no network; give networks such as 10.0.0.0/8 or 192.0.2.7, comma separated"
            raise ValueError(msg) from None
    return text


def topic(text: str) -> str:
    """A name that Kafka takes for a topic."""
    if not _NAME.fullmatch(text) or text in {".", ".."}:
        raise ValueError("is no name of a topic; use letters, digits, dots, underscores and hyphens, 249 at most")
    return text


def name(text: str) -> str:
    """A name of ours."""
    if len(text) > MOST_CHARACTERS:
        msg = f"is longer than {MOST_CHARACTERS} characters"
        raise ValueError(msg)
    return text


def web_address(text: str) -> str:
    """An http address without query, or nothing."""
    match = re.fullmatch(r"https?://(?P<place>[^/?#\s@]+)(/[^?#\s]*)?", text) if text else None
    if text and (match is None or not _is_place(match["place"])):
        msg = "is no web address; give one such as https://waymark.example.com, without user, query and fragment"
        raise ValueError(msg)
    return text


def path_prefix(text: str) -> str:
    """A path before ours, or nothing."""
    parts = text.split("/")
    if text and (parts[0] or not all(_SEGMENT.fullmatch(part) for part in parts[1:])):
        msg = "is no path; give one such as /waymark: a slash before each name and none at the end"
        raise ValueError(msg)
    return text


def _is_place(place: str) -> bool:
    bracketed = re.fullmatch(r"\[(?P<host>[^\]]+)\](:(?P<port>\d{1,5}))?", place)
    plain = re.fullmatch(r"(?P<host>[^:]+)(:(?P<port>\d{1,5}))?", place)
    found = bracketed or plain
    return found is not None and is_port(found["port"] or "1") and (bracketed is not None or is_host(found["host"]))


def is_port(text: str) -> bool:
    """Return whether `text` is a port number that can be listened on."""
    return text.isascii() and text.isdigit() and 0 < int(text) < 65_536 and len(text) <= 5


def key_ids(text: str) -> str:
    """Return ids of keys from a comma-separated list."""
    for number, word in enumerate(words(text), start=1):
        if not _KEY_ID.fullmatch(word):
            msg = f"word {number} is no id of a key; it is the third part of `wm_agent_0123456789ab_…`, never the whole"
            raise ValueError(msg)
    return text


def words(text: str) -> list[str]:
    """Return the parts between commas, without blanks and without empty ones."""
    return [word.strip() for word in text.split(",") if word.strip()]


Host = Annotated[str, AfterValidator(host)]
FileName = Annotated[str, AfterValidator(file)]
FolderName = Annotated[str, AfterValidator(folder)]
Networks = Annotated[str, AfterValidator(networks)]
TopicName = Annotated[str, AfterValidator(topic)]
KeyIds = Annotated[str, AfterValidator(key_ids)]
Name = Annotated[str, AfterValidator(name)]
PathPrefix = Annotated[str, AfterValidator(path_prefix)]
WebAddress = Annotated[str, AfterValidator(web_address)]
