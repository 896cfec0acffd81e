"""A model of the house that a package adds by the entry point `waymark.sentiment_models`: a function in this process.

It takes a list of texts and returns a list of as many sentiments, -1 to 1, None where it cannot tell. It is asked in a
thread of its own, one batch at a time, so it need not be safe for threads; what it raises never leaves that thread.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from services.ingest.sentiment.model.house_model import ModelFailedError, ModelFault, checked

GROUP: Final = "waymark.sentiment_models"

ReadTexts = Callable[[list[str]], object]


class ModelMissingError(Exception):
    """There is no such model, or it cannot be used; the message is for the operator."""


def find(name: str) -> EntryPoint:
    """Return the entry point of a model, which is not loaded; raises `ModelMissingError` with the nearest name."""
    known = {one.name: one for one in entry_points(group=GROUP)}
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"an installed package adds one by the entry point {GROUP}"
    raise ModelMissingError(f"there is no model of this name here; {hint}")


def load(name: str) -> "ModelFunction":
    """Return a model, loaded; raises `ModelMissingError`."""
    try:
        function = find(name).load()
    except ModelMissingError:
        raise
    except Exception as error:  # whatever a package of the house raises when it is imported is for the operator
        raise ModelMissingError(f"the model cannot be loaded: {type(error).__name__}") from error
    if not callable(function):
        raise ModelMissingError("the model is no function")
    return ModelFunction(function)


class ModelFunction:
    """Asks a function, one batch at a time. Satisfies `HouseModel`."""

    def __init__(self, function: ReadTexts) -> None:
        self._function = function
        self._running: asyncio.Future[object] | None = None

    async def read(self, texts: Sequence[str]) -> Sequence[float | None]:
        """Return the sentiment of each text; raises `ModelFailedError`. Giving up leaves the function running."""
        while self._running is not None and not self._running.done():
            await asyncio.wait((self._running,))
        self._running = running = asyncio.get_running_loop().create_future()
        threading.Thread(
            target=self._answer, args=(list(texts), running), name="sentiment model", daemon=True
        ).start()  # a daemon: one that never returns does not keep the process from ending
        told = await asyncio.shield(running)
        if isinstance(told, ModelFailedError):
            raise told
        return checked(told, len(texts))

    def _answer(self, texts: list[str], running: asyncio.Future[object]) -> None:
        told: object
        try:
            told = self._function(texts)
        except Exception as error:  # noqa: BLE001  code of the house: its failure is a value, and may quote a text
            told = ModelFailedError(ModelFault.RAISED, type(error).__name__)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            running.get_loop().call_soon_threadsafe(running.set_result, told)

    async def aclose(self) -> None:
        """Do nothing: a batch that is being read ends with the process."""
