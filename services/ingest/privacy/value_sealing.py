"""Single values, encrypted in place: JSON in, `sealed:v1:<key>:<base64url>` out, and back for whoever has the key.

What a value belongs to (source, touchpoint, path) is bound to it, so it opens nowhere else. A text that is longer than
the contract allows one text to be is a list of texts, to be joined.
"""

import base64
import binascii
import secrets
from typing import Any, Final

import msgspec

from schemas.documents.touchpoint import SEALED
from services.runtime.credentials.sealing import CannotUnsealError, SealedSecret, SecretSealer

_LONGEST: Final = 4096
"""Characters of one text among the attributes, by the contract."""
_NONCE_BYTES: Final = 12
_SEPARATOR: Final = "\x1f"


class ValueSealer:
    """Seals and opens values of touchpoints; the first of `master_keys` is for new ones."""

    def __init__(self, master_keys: tuple[str, ...]) -> None:
        self._seal = SecretSealer(master_keys)

    def seal(self, value: Any, *, source: str, id_: str, path: str) -> str | list[str]:
        """Return what stands in place of the value at `path` of the touchpoint (`source`, `id_`)."""
        sealed = self._seal.seal(
            msgspec.json.encode(value).decode(),
            owner=_SEPARATOR.join((source, id_, path)),
            nonce=secrets.token_bytes(_NONCE_BYTES),
        )
        text = f"{SEALED}{sealed.master_key}:{base64.urlsafe_b64encode(sealed.material).decode()}"
        if len(text) <= _LONGEST:
            return text
        return [text[at : at + _LONGEST] for at in range(0, len(text), _LONGEST)]

    def open(self, sealed: str | list[str], *, source: str, id_: str, path: str) -> Any:
        """Return the value that was sealed.

        Raises:
            CannotUnsealError: its key is not among ours, or it is not what was sealed at this place.
        """
        text = "".join(sealed)
        key, _, encoded = text.removeprefix(SEALED).partition(":")
        try:
            material = base64.urlsafe_b64decode(encoded)
        except (binascii.Error, ValueError):
            raise CannotUnsealError("it is not whole") from None
        owner = _SEPARATOR.join((source, id_, path))
        return msgspec.json.decode(self._seal.open(SealedSecret(material=material, master_key=key), owner=owner))


def is_sealed(value: Any) -> bool:
    """Return whether `value` stands in place of an encrypted one."""
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, str) and first.startswith(SEALED)
