"""The JSON shapes of the contract. Numbers are rounded here and nowhere else."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from accounts import MAX_PASSWORD, MIN_PASSWORD, Role, login_key
from adaptive_controller import Action, SessionStatus
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


def _integer(low: int, high: int, default: int) -> fields.Integer:
    return fields.Integer(strict=True, load_default=default, validate=validate.Range(min=low, max=high))


def _names(**options: Any) -> fields.List[str]:
    return fields.List(fields.String(), **options)


def _fits_as_key(longest: int) -> Callable[[str], None]:
    """Some letters become several when names are compared: the result has to fit its column."""

    def check(name: str) -> None:
        if len(login_key(name)) > longest:
            raise ValidationError(f"Longer than maximum length {longest} when compared.")

    return check


# Requests


class RegisterSchema(Schema):
    username = Words(
        required=True,
        validate=[
            validate.Length(min=2, max=64),
            validate.Regexp(r"[\w.-]+\Z", error="May contain letters, digits and . _ - only."),
            _fits_as_key(64),
        ],
    )
    email = fields.Email(required=True, validate=[validate.Length(max=254), _fits_as_key(254)])
    password = Words(required=True, validate=validate.Length(min=MIN_PASSWORD, max=MAX_PASSWORD))


class LoginSchema(Schema):
    login = Words(required=True, validate=validate.Length(min=1, max=254))
    password = Words(required=True, validate=validate.Length(min=1, max=MAX_PASSWORD))


class ResetRequestSchema(Schema):
    topic = Words(
        required=True,
        validate=validate.Length(min=1, max=MAX_TOPIC_CHARACTERS),
        metadata={"description": "One topic, or `all`."},
    )


class StartSessionSchema(Schema):
    session_type = fields.String(load_default=SESSION_TYPES[0], validate=validate.OneOf(SESSION_TYPES))
    topics = fields.List(
        Words(validate=validate.Length(min=1, max=MAX_TOPIC_CHARACTERS)),
        load_default=None,
        validate=validate.Length(min=1, max=50),
    )
    max_questions = _integer(1, 50, 15)
    max_minutes = _integer(1, 180, 30)


class GiveAnswerSchema(Schema):
    question_id = QuestionId(required=True, metadata={"type": ["string", "integer"]})
    answer = Words(required=True, validate=validate.Length(max=MAX_ANSWER_CHARACTERS))
    response_time = Seconds(
        load_default=None,
        validate=validate.Range(min=0),
        metadata={"description": "Seconds; capped at 3600."},
    )


class SessionListQuerySchema(Schema):
    type = fields.String(load_default=None, validate=validate.OneOf(HISTORY_TYPES))
    limit = fields.Integer(load_default=20, validate=validate.Range(min=1, max=100))
    cursor = Cursor(load_default=None)


# Replies


class UserSchema(Schema):
    id = fields.Integer(required=True)
    username = fields.String(required=True)
    email = fields.String(required=True)
    role = fields.String(required=True, validate=validate.OneOf([role.value for role in Role]))
    created_at = UtcTime(required=True)


class MeSchema(Schema):
    user = fields.Nested(UserSchema, required=True)


class TokensSchema(MeSchema):
    access_token = fields.String(required=True)
    refresh_token = fields.String(required=True)
    token_type = fields.String(required=True)
    expires_in = fields.Integer(required=True, metadata={"description": "Seconds"})


class LogoutSchema(Schema):
    success = fields.Boolean(required=True)


class TopicProgressSchema(Schema):
    mastery = Rounded(required=True)
    sessions_attempted = fields.Integer(required=True)
    questions_attempted = fields.Integer(required=True)
    correct_count = fields.Integer(required=True)
    last_session_date = UtcTime(required=True, allow_none=True)
    semantic_avg = Rounded(required=True)
    keyword_avg = Rounded(required=True)
    weak_concepts = _names(required=True)
    strong_concepts = _names(required=True)
    current_difficulty = fields.String(required=True, validate=validate.OneOf(DIFFICULTIES))
    mastery_velocity = Rounded(required=True)
    level = fields.String(required=True)
    early_estimate = fields.Boolean(required=True)


class OverallSchema(Schema):
    avg_mastery = Rounded(required=True)
    total_sessions = fields.Integer(required=True)
    topics_count = fields.Integer(required=True)
    total_questions = fields.Integer(required=True)


class ProgressSchema(Schema):
    topics = fields.Dict(keys=fields.String(), values=fields.Nested(TopicProgressSchema), required=True)
    overall = fields.Nested(OverallSchema, required=True)


class MasterySchema(Schema):
    topic = fields.String(required=True)
    mastery_level = Rounded(required=True)
    semantic_avg = Rounded(required=True)
    keyword_avg = Rounded(required=True)
    sessions_attempted = fields.Integer(required=True)
    questions_attempted = fields.Integer(required=True)
    correct_count = fields.Integer(required=True)
    avg_response_time = Rounded(required=True)
    current_difficulty = fields.String(required=True, validate=validate.OneOf(DIFFICULTIES))
    mastery_velocity = Rounded(required=True)
    last_mastery = Rounded(required=True)
    consecutive_good = fields.Integer(required=True)
    consecutive_poor = fields.Integer(required=True)
    weak_concepts = _names(required=True)
    strong_concepts = _names(required=True)
    concept_stagnation = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    level = fields.String(required=True)
    early_estimate = fields.Boolean(required=True)


class ConceptSchema(Schema):
    mastery_level = Rounded(required=True)
    attempts = fields.Integer(required=True)
    correct = fields.Integer(required=True)
    times_mentioned = fields.Integer(required=True)
    times_missed_when_sampled = fields.Integer(required=True)
    last_seen = Rounded(required=True, metadata={"description": "Unix time of the last question, 0 for never"})
    stagnation_count = fields.Integer(required=True)
    is_weak = fields.Boolean(required=True)
    is_strong = fields.Boolean(required=True)
    priority_score = Rounded(required=True)


class TopicMasterySchema(Schema):
    mastery = fields.Nested(MasterySchema, required=True)
    concepts = fields.Dict(keys=fields.String(), values=fields.Nested(ConceptSchema), required=True)
    exists = fields.Boolean(required=True)


class ResetSchema(Schema):
    success = fields.Boolean(required=True)
    message = fields.String(required=True)
    topic = fields.String(required=True)
    deleted = fields.Integer(required=True)
    reset_at = UtcTime(required=True)
    audit_id = fields.Integer(required=True)


class LevelSchema(Schema):
    name = fields.String(required=True)
    starts_at = fields.Float(required=True)
    includes_start = fields.Boolean(required=True)


class PolicySchema(Schema):
    name = fields.String(required=True)
    version = fields.Integer(required=True)
    label = fields.String(required=True)
    alpha = fields.Float(required=True)
    semantic_weight = fields.Float(required=True)
    keyword_weight = fields.Float(required=True)
    correct_above = fields.Float(required=True)
    good_above = fields.Float(required=True)
    poor_below = fields.Float(required=True)
    topic_good_streak = fields.Integer(required=True)
    topic_poor_streak = fields.Integer(required=True)
    topic_change = fields.String(required=True)
    session_good_streak = fields.Integer(required=True)
    session_poor_streak = fields.Integer(required=True)
    concept_gain = fields.Float(required=True)
    concept_loss = fields.Float(required=True)
    weak_below = fields.Float(required=True)
    weak_min_misses = fields.Integer(required=True)
    weak_min_attempts = fields.Integer(required=True)
    strong_from = fields.Float(required=True)
    strong_includes_start = fields.Boolean(required=True)
    strong_min_mentions = fields.Integer(required=True)
    levels = fields.List(fields.Nested(LevelSchema), required=True)
    priority_miss_bonus = fields.Float(required=True)
    priority_miss_above = fields.Integer(required=True)
    priority_stagnation_bonus = fields.Float(required=True)
    priority_stagnation_from = fields.Integer(required=True)
    priority_unseen_bonus = fields.Float(required=True)
    priority_unseen_above_seconds = fields.Float(required=True)
    priority_decline_bonus = fields.Float(required=True)
    priority_decline_below = fields.Float(required=True)
    priority_cap = fields.Float(required=True)
    concepts_per_question = fields.Integer(required=True)
    sampling_weight_floor = fields.Float(required=True)
    early_estimate_below = fields.Integer(required=True)


class TopicSchema(Schema):
    topic = fields.String(required=True)
    title = fields.String(required=True)
    questions = fields.Integer(required=True)
    concepts = fields.Integer(required=True)


class TopicListSchema(Schema):
    topics = fields.List(fields.Nested(TopicSchema), required=True)


class QuestionSchema(Schema):
    id = fields.String(required=True)
    topic = fields.String(required=True)
    subtopic = fields.String(required=True)
    text = fields.String(required=True)
    difficulty = fields.String(required=True, validate=validate.OneOf(DIFFICULTIES))
    concepts_count = fields.Integer(required=True)
    asked_at = UtcTime(required=True)


class TopicSummarySchema(Schema):
    topic = fields.String(required=True)
    questions = fields.Integer(required=True)
    correct = fields.Integer(required=True)
    score = Rounded(required=True, metadata={"description": "0 to 100"})
    mastery_before = Rounded(required=True)
    mastery_after = Rounded(required=True)


class SessionSummarySchema(Schema):
    questions = fields.Integer(required=True)
    correct = fields.Integer(required=True)
    score = Rounded(required=True, allow_none=True, metadata={"description": "0 to 100"})
    duration = Rounded(required=True, metadata={"description": "Seconds"})
    topics = fields.List(fields.Nested(TopicSummarySchema), required=True)
    mentioned_concepts = _names(required=True)
    missed_concepts = _names(required=True)


class SessionListItemSchema(Schema):
    id = fields.Integer(required=True)
    session_type = fields.String(required=True, validate=validate.OneOf(HISTORY_TYPES))
    topic = fields.String(required=True, metadata={"description": "The session's topic, or `mixed`"})
    score = Rounded(required=True, allow_none=True, metadata={"description": "0 to 100"})
    duration = Rounded(required=True, metadata={"description": "Seconds"})
    created_at = UtcTime(required=True)
    completed_at = UtcTime(required=True, allow_none=True)
    questions_count = fields.Integer(required=True)
    feedback = fields.String(required=True, allow_none=True)


class SessionListSchema(Schema):
    sessions = fields.List(fields.Nested(SessionListItemSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class SessionSchema(SessionListItemSchema):
    status = fields.String(required=True, validate=validate.OneOf([status.value for status in SessionStatus]))
    topics = _names(required=True)
    current_topic = fields.String(required=True)
    current_difficulty = fields.String(required=True, validate=validate.OneOf(DIFFICULTIES))
    max_questions = fields.Integer(required=True)
    max_minutes = fields.Integer(required=True)
    summary = fields.Nested(SessionSummarySchema, required=True, allow_none=True)


class StartedSessionSchema(Schema):
    session = fields.Nested(SessionSchema, required=True)
    question = fields.Nested(QuestionSchema, required=True, allow_none=True)


class FlagSchema(Schema):
    name = fields.String(required=True)
    factor = fields.Float(required=True, metadata={"description": "Both scores were multiplied by this"})
    effect = fields.String(required=True)


class AttemptSchema(Schema):
    id = fields.Integer(required=True)
    semantic_score = Rounded(required=True)
    keyword_score = Rounded(required=True)
    combined_score = Rounded(required=True)
    correct = fields.Boolean(required=True)
    response_time = Rounded(required=True, metadata={"description": "Seconds"})
    matched_keywords = _names(required=True)
    missed_keywords = _names(required=True)
    mentioned_concepts = _names(required=True)
    missed_concepts = _names(required=True)
    flags = fields.List(fields.Nested(FlagSchema), required=True)
    expected_answer = fields.String(required=True)
    scorer = fields.String(required=True)
    policy = fields.String(required=True)


class LoggedAttemptSchema(AttemptSchema):
    topic = fields.String(required=True)
    question_id = fields.String(required=True, allow_none=True)
    question = fields.String(required=True)
    answer = fields.String(required=True)
    difficulty = fields.String(required=True, validate=validate.OneOf(DIFFICULTIES))
    mastery_before = Rounded(required=True)
    mastery_after = Rounded(required=True)
    mastery_velocity = Rounded(required=True)
    difficulty_before = fields.String(required=True, validate=validate.OneOf(DIFFICULTIES))
    difficulty_after = fields.String(required=True, validate=validate.OneOf(DIFFICULTIES))
    created_at = UtcTime(required=True)


class SessionDetailSchema(StartedSessionSchema):
    attempts = fields.List(fields.Nested(LoggedAttemptSchema), required=True)


class MasteryChangeSchema(Schema):
    before = Rounded(required=True)
    after = Rounded(required=True)
    velocity = Rounded(required=True)
    difficulty_before = fields.String(required=True, validate=validate.OneOf(DIFFICULTIES))
    difficulty_after = fields.String(required=True, validate=validate.OneOf(DIFFICULTIES))
    explanation = fields.String(required=True)


class AnswerOutcomeSchema(Schema):
    attempt = fields.Nested(AttemptSchema, required=True)
    mastery = fields.Nested(MasteryChangeSchema, required=True)
    feedback = fields.String(required=True)
    action = fields.String(required=True, validate=validate.OneOf([action.value for action in Action]))
    next_question = fields.Nested(QuestionSchema, required=True, allow_none=True)
    session = fields.Nested(SessionSchema, required=True)


class FinishedSessionSchema(Schema):
    session = fields.Nested(SessionSchema, required=True)
    summary = fields.Nested(SessionSummarySchema, required=True)


class RecordedSessionSchema(Schema):
    session = fields.Nested(SessionSchema, required=True)
    attempts = fields.List(fields.Nested(LoggedAttemptSchema), required=True)
