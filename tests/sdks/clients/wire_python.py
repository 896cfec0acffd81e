"""The calls that every Python client of the matrix makes; the two libraries share one interface."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

OnError = Callable[[Exception, Any], None]


def main(make: Callable[[str, str, OnError, bool], Any]) -> None:
    """Read the spec, make the calls, wait until they are out, say what went wrong."""
    spec = json.loads(sys.argv[1])
    errors: list[str] = []
    client = make(spec["url"], spec["key"], lambda error, _batch: errors.append(str(error)), spec["one_by_one"])
    who = f"C-{spec['run']}"
    for number in range(spec["calls"]):
        user = "x" * 300 if number < spec["malformed"] else who
        properties = {"n": number, "run": spec["run"], "reason": "배송 지연", "order_id": f"A-{number}"}
        client.track(user_id=user, event="Checkout Started", properties=properties)
        time.sleep(spec["pause_ms"] / 1000)
    if spec["others"]:
        client.identify(user_id=who, traits={"email": f"{spec['run']}@example.com"})
        client.page(user_id=who, name="배송 조회")
        client.alias(previous_id=f"a-{spec['run']}", user_id=who)
    client.flush()
    client.join()
    sys.stdout.write(json.dumps({"errors": errors}) + "\n")
