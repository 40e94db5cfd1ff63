"""The key under which a client may repeat a request."""

import re

from flask import request

from store import UnusableKey

HEADER = "Idempotency-Key"
KEY = re.compile(r"[\x20-\x7e]{1,255}")


def given_key() -> str | None:
    """The request's key, if it has one; raises `UnusableKey`."""
    key = request.headers.get(HEADER)
    if key is not None and not KEY.fullmatch(key):
        raise UnusableKey(f"{HEADER} must be 1 to 255 printable ASCII characters.")
    return key


def usable_key() -> str | None:
    """The same, before anybody is told what is wrong with it: None for an unusable one."""
    try:
        return given_key()
    except UnusableKey:
        return None
