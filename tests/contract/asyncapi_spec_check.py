"""Checks `schemas/asyncapi.yaml` against AsyncAPI's own JSON Schema, which comes from npm and is not kept here.

    npm pack --silent @asyncapi/specs@6.11.1 && tar xzf asyncapi-specs-6.11.1.tgz package/schemas/3.0.0.json
    python -m tests.contract.asyncapi_spec_check package/schemas/3.0.0.json

Exits 1 and says where the document is wrong; also 1 when the schema would let anything pass.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

from schemas import asyncapi


def complaints(schema: dict[str, Any], document: dict[str, Any]) -> list[str]:
    """What AsyncAPI's schema has against `document`."""
    found = jsonschema_rs.validator_for(schema).iter_errors(document)
    return [f"{'/'.join(map(str, error.instance_path))}: {error.message[:200]}" for error in found]


def main(arguments: list[str]) -> int:
    """The exit status."""
    if len(arguments) != 1:
        sys.stderr.write("Say where AsyncAPI's 3.0.0.json is.\n")
        return 2
    schema = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    document = yaml.safe_load(asyncapi.PATH.read_text(encoding="utf-8"))
    found = complaints(schema, document)
    if not complaints(schema, {**document, "chanels": {}}):
        found.append("The schema accepts a misspelt member, so it checks nothing.")
    sys.stdout.write("\n".join(found) + "\n" if found else "schemas/asyncapi.yaml is valid AsyncAPI 3.0.0\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
