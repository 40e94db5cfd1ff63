"""Fields that the shapes of the contract share. Numbers are rounded here and nowhere else."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields, validate

from accounts import login_key
from api.cursors import from_cursor
from mastery import Difficulty

PLACES = 3
MAX_ANSWER_CHARACTERS = 8000
MAX_TOPIC_CHARACTERS = 64
SESSION_TYPES = ("technical", "mock", "coding")
HISTORY_TYPES = (*SESSION_TYPES, "debugging")
DIFFICULTIES = [step.value for step in Difficulty]


class Rounded(fields.Float):
    """A number as it leaves: rounded to 3 places."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> float | None:
        return None if value is None else round(float(value), PLACES)


class UtcTime(fields.DateTime):
    """ISO 8601 in UTC with Z, to the second."""

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        if value is None:
            return None
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class Words(fields.String):
    """Text that every database can keep: no NUL character."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if "\x00" in text:
            raise ValidationError("Must not contain the character U+0000.")
        return text


class Seconds(fields.Float):
    """A number of seconds from 0 up; text that looks like a number is none."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if not isinstance(value, int | float):
            raise self.make_error("invalid", input=value)
        seconds: float = super()._deserialize(value, attr, data, **kwargs)
        return seconds


class Cursor(fields.String):
    """The opaque place in a list, as a reply gave it."""

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


def fits_as_key(longest: int) -> Callable[[str], None]:
    """Some letters become several when names are compared: the result has to fit its column."""

    def check(name: str) -> None:
        if len(login_key(name)) > longest:
            raise ValidationError(f"Longer than maximum length {longest} when compared.")

    return check
