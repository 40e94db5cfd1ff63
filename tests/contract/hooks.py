"""What the OpenAPI document cannot say about requests, for the fuzzer."""

import uuid
from typing import Any

import schemathesis

KEY = "Idempotency-Key"


@schemathesis.hook
def map_headers(_context: Any, headers: Any) -> Any:
    """A client makes a key of its own for each request: one that comes twice with another body is refused."""
    if headers and KEY in headers and 1 <= len(str(headers[KEY])) <= 255:
        return {**headers, KEY: uuid.uuid4().hex}
    return headers
