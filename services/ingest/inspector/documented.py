"""What `/docs` says about the inspector; the test suite holds the examples to what the service answers."""

LISTING: dict[str, object] = {"operationId": "inspect", "summary": "x", "responses": {200: {"description": "x"}}}
STREAM: dict[str, object] = {"operationId": "inspect_live", "summary": "x", "responses": {200: {"description": "x"}}}
