"""The application under gunicorn with what it is measured against: routes, and a header, that the product has not."""

import os
import time
from collections.abc import Sequence
from typing import Any

from flask import Flask, Response, g, has_request_context, jsonify

from api.context import EXTENSION, Services, learner, services
from api.security import guard
from api.tokens import verified_claims
from app import create_app as create
from benchmarks.learners import MODEL_TIME
from embeddings import Reading, Spans
from models import UserMastery
from tests.fakes import WordEncoder
from tests.installation import settings_for

NAIVE, TOKEN, SIGNATURE = "/bench/naive", "/bench/token", "/bench/signature"


def create_app() -> Flask:
    """The application over the database that the environment names, without limits and without a model."""
    app = create(settings_for(os.environ["DATABASE_URL"]), encoder=WordEncoder())
    app.add_url_rule(NAIVE, view_func=guard(naive))
    app.add_url_rule(TOKEN, view_func=guard(token))
    app.add_url_rule(SIGNATURE, view_func=signature)
    return app


def create_timed_app() -> Flask:
    """The application as it is served, whose replies say how long the model took for them."""
    app = create(has_commands=False)
    service: Services = app.extensions[EXTENSION]
    read = service.encoder.read

    def timed(texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
        began_at = time.perf_counter()
        try:
            return read(texts, spans)
        finally:
            if has_request_context():
                g.model_time = g.get("model_time", 0.0) + 1000 * (time.perf_counter() - began_at)

    def told(response: Response) -> Response:
        response.headers[MODEL_TIME] = repr(g.get("model_time", 0.0))
        return response

    service.encoder.read = timed  # type: ignore[method-assign]
    app.after_request(told)
    return app


def token() -> Any:
    """Says that the token is good and its login stands."""
    return jsonify(ok=True)


def signature() -> Any:
    """Says that the token is good; the database is not asked."""
    verified_claims()
    return jsonify(ok=True)


def naive() -> Any:
    """Progress as one would write it first: whole records, and each figure of `to_dict` by a method of its own."""
    rows = UserMastery.query.filter_by(user_id=learner().id).all()
    return jsonify({"topics": {row.topic: _naive_topic(row) for row in rows}, "overall": _overall(rows)})


def _naive_topic(row: UserMastery) -> dict[str, Any]:
    policy = services().policy
    return {
        "mastery": round(row.mastery_level, 3),
        "sessions_attempted": row.sessions_attempted,
        "questions_attempted": row.questions_attempted,
        "correct_count": row.correct_count,
        "last_session_date": row.last_session_date and row.last_session_date.isoformat(),
        "semantic_avg": round(row.semantic_avg, 3),
        "keyword_avg": round(row.keyword_avg, 3),
        "weak_concepts": row.get_weak_concepts(),
        "strong_concepts": row.get_strong_concepts(),
        "stagnant_concepts": row.get_concept_stagnation(),
        "concept_count": len(row.get_concept_masteries()),
        "current_difficulty": row.current_difficulty,
        "mastery_velocity": round(row.mastery_velocity, 3),
        "level": policy.level_name(row.mastery_level),
        "early_estimate": policy.is_early_estimate(row.questions_attempted),
    }


def _overall(rows: list[UserMastery]) -> dict[str, Any]:
    levels = [row.mastery_level for row in rows]
    return {
        "avg_mastery": sum(levels) / len(levels),
        "total_sessions": sum(row.sessions_attempted for row in rows),
        "topics_count": len(rows),
        "total_questions": sum(row.questions_attempted for row in rows),
    }
