"""Prints the members of Amazon Connect's Contact as the service model in botocore has them: {name: [members]}."""

import json
import sys

from botocore.loaders import Loader  # type: ignore[import-not-found]  # its own environment

shapes = Loader().load_service_model("connect", "service-2")["shapes"]
found: dict[str, object] = {}
for name, member in shapes["Contact"]["members"].items():
    found[name] = sorted(shapes[member["shape"]].get("members", {}))
found["#enums"] = {name: shapes[name]["enum"] for name in ("Channel", "ContactInitiationMethod")}
sys.stdout.write(json.dumps(found))
