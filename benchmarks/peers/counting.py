"""How a peer without a table of progress says how far it is: lines `processed N` on its standard output."""

import os

EVERY = 500


class Counter:
    """Counts records and says so every now and then, at the first one and at the last."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._done = 0

    def one(self) -> None:
        """One more record is processed."""
        self._done += 1
        if self._done == 1 or self._done % EVERY == 0 or self._done == self._count:
            os.write(1, b"processed %d\n" % self._done)  # past what frameworks make of sys.stdout
