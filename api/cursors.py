"""Cursors: the place in a list, as an opaque word."""

import base64
import binascii
from datetime import UTC, datetime, timedelta

from marshmallow import ValidationError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)


def to_cursor(place: tuple[datetime, int] | None) -> str | None:
    """The cursor of a place; None at the end of the list."""
    if place is None:
        return None
    at, row_id = place
    return base64.urlsafe_b64encode(f"{(at - EPOCH) // MICROSECOND}.{row_id}".encode()).decode().rstrip("=")


def from_cursor(cursor: str | None) -> tuple[datetime, int] | None:
    """The place of a cursor; raises `ValidationError` for one that was not made here."""
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        moment, _, row_id = base64.b64decode(padded, altchars=b"-_", validate=True).partition(b".")
        place = EPOCH + int(moment) * MICROSECOND, int(row_id)
    except (ValueError, OverflowError, binascii.Error, UnicodeEncodeError):
        raise ValidationError("Not a valid cursor.") from None
    if not (EPOCH <= place[0] < LATEST and 0 <= place[1] < 2**63):
        raise ValidationError("Not a valid cursor.")
    return place
