"""Shapes of progress, mastery, resets, policy and topics."""

from marshmallow import fields, validate

from api.schemas.base import Schema
from api.schemas.fields import DIFFICULTIES, MAX_TOPIC_CHARACTERS, Rounded, UtcTime, Words, names


class ResetRequestSchema(Schema):
    topic = Words(
        required=True,
        validate=validate.Length(min=1, max=MAX_TOPIC_CHARACTERS),
        metadata={"description": "One topic, or `all`."},
    )


class TopicProgressSchema(Schema):
    mastery = Rounded(required=True)
    sessions_attempted = fields.Integer(required=True)
    questions_attempted = fields.Integer(required=True)
    correct_count = fields.Integer(required=True)
    last_session_date = UtcTime(required=True, allow_none=True)
    semantic_avg = Rounded(required=True)
    keyword_avg = Rounded(required=True)
    weak_concepts = names(required=True)
    strong_concepts = names(required=True)
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
    weak_concepts = names(required=True)
    strong_concepts = names(required=True)
    concept_stagnation = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    level = fields.String(required=True)
    early_estimate = fields.Boolean(required=True)
    expected_score = Rounded(
        required=True, allow_none=True, metadata={"description": "Mean forecast of the concepts; null without answers"}
    )
    confidence = Rounded(
        required=True, metadata={"description": "1 minus the mean width of the concepts' 80 % intervals"}
    )
    recommended_difficulty = fields.String(required=True, validate=validate.OneOf(DIFFICULTIES))


class ForecastSchema(Schema):
    probability = Rounded(required=True, metadata={"description": "Of a success right after the last attempt"})
    interval = fields.List(Rounded(), required=True, metadata={"description": "80 % interval of the probability"})
    mastered = Rounded(required=True, metadata={"description": "Probability that the concept is mastered now"})
    enough_data = fields.Boolean(required=True)
    recall_now = Rounded(required=True, metadata={"description": "The probability of a success at this moment"})
    review_due_at = UtcTime(required=True, allow_none=True)


class ForgettingSchema(Schema):
    days = fields.Integer(required=True, metadata={"description": "From now, without a question"})
    recall = Rounded(required=True, metadata={"description": "Mean probability of a success over the asked concepts"})


class ForetoldSchema(Schema):
    at = UtcTime(required=True)
    foretold = Rounded(required=True, metadata={"description": "Mean probability, before the answer, of its concepts"})
    happened = Rounded(required=True, metadata={"description": "Share of them that the answer mentioned"})


class OutlookSchema(Schema):
    forgetting = fields.List(fields.Nested(ForgettingSchema), required=True)
    answers = fields.List(fields.Nested(ForetoldSchema), required=True, metadata={"description": "Oldest first"})


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
    forecast = fields.Nested(ForecastSchema, required=True)


class ReviewQuerySchema(Schema):
    limit = fields.Integer(load_default=20, validate=validate.Range(min=1, max=100))


class ReviewSchema(Schema):
    topic = fields.String(required=True)
    concept = fields.String(required=True)
    probability = Rounded(required=True)
    recall_now = Rounded(required=True)
    review_due_at = UtcTime(required=True)


class ReviewsSchema(Schema):
    reviews = fields.List(fields.Nested(ReviewSchema), required=True)
    generated_at = UtcTime(required=True)


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
