"""Sends with rudder-sdk-python, as its users do. Runs in an environment of its own: `python … SPEC`."""

from typing import Any

from rudderstack.analytics.client import Client  # type: ignore[import-not-found]  # stands in the cache of `kit`
from wire_python import OnError, main  # type: ignore[import-not-found]  # beside this script when it runs


def make(url: str, key: str, on_error: OnError, one_by_one: bool) -> Any:
    """Return a client; an upload each time where calls go one by one."""
    size = {"upload_size": 1} if one_by_one else {}
    return Client(key, host=url, on_error=on_error, upload_interval=0.2, **size)


main(make)
