"""Fields that the shapes of the contract share. Numbers are rounded here and nowhere else."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import ValidationError, fields, validate

from accounts import login_key
from api.cursors import PLACE_PATTERN, from_cursor
from mastery import Difficulty

PLACES = 3
WITHOUT_NUL = r"^[^\x00]*$"
MAX_ANSWER_CHARACTERS = 8000
MAX_TOPIC_CHARACTERS = 64
SESSION_TYPES = ("technical", "mock", "coding")
HISTORY_TYPES = (*SESSION_TYPES, "debugging")
EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
CLOCK_SKEW = timedelta(days=1)
"""How far ahead the clock of a client may be, time zones it got wrong included."""

DIFFICULTIES = [step.value for step in Difficulty]


def rounded(value: float) -> float:
    """A number as it leaves: rounded to 3 places."""
    return round(float(value), PLACES)


def utc_text(value: datetime) -> str:
    """A time as it leaves: ISO 8601 in UTC with Z, to the second."""
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class Rounded(fields.Float):
    """A number that leaves rounded."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> float | None:
        return None if value is None else rounded(value)


class UtcTime(fields.DateTime):
    """A time that leaves in UTC, to the second."""

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else utc_text(value)


class Words(fields.String):
    """Text that every database can keep: no NUL character."""

    def __init__(self, *, metadata: Mapping[str, Any] | None = None, **options: Any) -> None:
        super().__init__(metadata={"pattern": WITHOUT_NUL, **(metadata or {})}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if "\x00" in text:
            raise ValidationError("Must not contain the character U+0000.")
        return text


class YesOrNo(fields.Boolean):
    """true or false; a number or text that could stand for them is neither."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Number(fields.Float):
    """A finite number; text that looks like a number is none."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if not isinstance(value, int | float):
            raise self.make_error("invalid", input=value)
        number: float = super()._deserialize(value, attr, data, **kwargs)
        return number


class Seconds(Number):
    """A number of seconds."""


class Score(Number):
    """A score from 0 to 1."""

    def __init__(self, **options: Any) -> None:
        super().__init__(validate=validate.Range(min=0, max=1), **options)


class Moment(fields.AwareDateTime):
    """A time of the past in ISO 8601; one without a zone is taken for UTC."""

    def __init__(self, **options: Any) -> None:
        super().__init__(format="iso", default_timezone=UTC, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        moment: datetime = super()._deserialize(value, attr, data, **kwargs)
        if not EARLIEST <= moment.replace(tzinfo=UTC) <= datetime.now(UTC) + CLOCK_SKEW:
            raise ValidationError("Must be after the year 1970 and not in the future.")
        return moment.astimezone(UTC)


class Cursor(fields.String):
    """The opaque place in a list, as a reply gave it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(metadata={"pattern": PLACE_PATTERN}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return from_cursor(super()._deserialize(value, attr, data, **kwargs))


class QuestionId(fields.Field[str]):
    """The id of a question, as it was given to the client."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValidationError("Not a valid question id.")
        return str(value)


def integer(low: int, high: int, default: int) -> fields.Integer:
    """A whole number within bounds, with a default; text that looks like a number is none."""
    return fields.Integer(strict=True, load_default=default, validate=validate.Range(min=low, max=high))


def names(**options: Any) -> fields.List[str]:
    """A list of names."""
    return fields.List(fields.String(), **options)


def usable_in_a_name(name: str) -> None:
    """A function and no pattern, because a pattern of Python's means something else in OpenAPI."""
    if not re.fullmatch(r"[\w.-]+", name):
        raise ValidationError("May contain letters, digits and . _ - only.")


def fits_as_key(longest: int) -> Callable[[str], None]:
    """Some letters become several when names are compared: the result has to fit its column."""

    def check(name: str) -> None:
        if len(login_key(name)) > longest:
            raise ValidationError(f"Longer than maximum length {longest} when compared.")

    return check
