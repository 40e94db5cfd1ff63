"""Cursors: the place in a list, as an opaque word. Every word of the form is a place."""

import re
from datetime import UTC, datetime, timedelta

from marshmallow import ValidationError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

PLACE_PATTERN = "^([0-9]{1,16}-[0-9]{1,16})?$"
"""Microseconds since 1970 and a row's id; an empty one counts as none."""


def to_cursor(place: tuple[datetime, int] | None) -> str | None:
    """The cursor of a place; None at the end of the list."""
    if place is None:
        return None
    at, row_id = place
    return f"{(at - EPOCH) // MICROSECOND}-{row_id}"


def from_cursor(cursor: str) -> tuple[datetime, int]:
    """The place of a cursor; raises `ValidationError` for a word of another form."""
    if not cursor or not re.fullmatch(PLACE_PATTERN, cursor) or cursor.endswith("\n"):
        raise ValidationError("Not a cursor that a reply gave.")
    moment, _, row_id = cursor.partition("-")
    return EPOCH + int(moment) * MICROSECOND, int(row_id)
