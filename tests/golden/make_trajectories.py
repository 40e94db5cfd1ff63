"""Writes the golden trajectories: specification A's printed code with the rulings applied, and nothing of the product.

Run it as `python tests/golden/make_trajectories.py`. Each file is a list of steps, one a line: an answer, and the
topic's figures and whole concept document after it. `reference-poor.json` is the trajectory `poor` under `reference`.
"""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
START = 1_700_000_000.0
LADDER = ["easy", "medium", "hard"]
POLICIES: dict[str, dict[str, Any]] = {
    "reference": {"semantic": 0.7, "keyword": 0.3, "poor_streak": 2, "jump": True},
    "guide": {"semantic": 0.6, "keyword": 0.4, "poor_streak": 3, "jump": False},
}

Record = dict[str, Any]


def update_mastery(topic: Record, answer: Record, policy: Record) -> None:
    semantic_score, keyword_score = answer["semantic_score"], answer["keyword_score"]
    old_mastery = topic["mastery_level"]
    alpha = 0.3
    topic["semantic_avg"] = (alpha * semantic_score) + ((1 - alpha) * topic["semantic_avg"])
    topic["keyword_avg"] = (alpha * keyword_score) + ((1 - alpha) * topic["keyword_avg"])
    topic["mastery_level"] = (topic["semantic_avg"] * policy["semantic"]) + (topic["keyword_avg"] * policy["keyword"])
    topic["mastery_velocity"] = topic["mastery_level"] - old_mastery
    topic["last_mastery"] = old_mastery
    response_time = min(answer["response_time"], 3600.0)
    topic["avg_response_time"] = (alpha * response_time) + ((1 - alpha) * topic["avg_response_time"])
    topic["questions_attempted"] += 1
    if answer["starts_session"]:
        topic["sessions_attempted"] += 1
    if round(keyword_score, 9) > 0.6:
        topic["correct_count"] += 1
    combined_score = round(semantic_score * policy["semantic"] + keyword_score * policy["keyword"], 9)
    if combined_score > 0.7:
        topic["consecutive_good"] += 1
        topic["consecutive_poor"] = 0
    elif combined_score < 0.4:
        topic["consecutive_poor"] += 1
        topic["consecutive_good"] = 0
    else:
        topic["consecutive_good"] = 0
        topic["consecutive_poor"] = 0
    rung = LADDER.index(topic["current_difficulty"])
    if topic["consecutive_good"] >= 3:
        topic["current_difficulty"] = LADDER[2 if policy["jump"] else min(2, rung + 1)]
    elif topic["consecutive_poor"] >= policy["poor_streak"]:
        topic["current_difficulty"] = LADDER[0 if policy["jump"] else max(0, rung - 1)]


def record_attempt(concept: Record, mentioned: bool, at: float, guide: bool) -> None:
    concept["attempts"] += 1
    if mentioned:
        concept["times_mentioned"] += 1
        concept["mastery_level"] = min(1.0, concept["mastery_level"] + 0.1)
        concept["stagnation_count"] = 0
    else:
        concept["times_missed_when_sampled"] += 1
        concept["mastery_level"] = max(0.0, concept["mastery_level"] - 0.05)
        concept["stagnation_count"] += 1
    level = round(concept["mastery_level"], 9)
    if guide:
        concept["is_weak"] = level < 0.6 and concept["attempts"] >= 1
        concept["is_strong"] = level >= 0.8
    else:
        concept["is_weak"] = level < 0.5 and concept["times_missed_when_sampled"] >= 2
        concept["is_strong"] = level > 0.7 and concept["times_mentioned"] >= 3
    concept["last_seen"] = at


def update_priority_score(concept: Record, velocity: float, now: float) -> None:
    priority: float = 1.0 - concept["mastery_level"]
    if concept["times_missed_when_sampled"] > 2:
        priority += 0.2
    if concept["stagnation_count"] >= 2:
        priority += 0.15
    if now - concept["last_seen"] > 3600:
        priority += 0.1
    if round(velocity, 9) < -0.05:
        priority += 0.2
    concept["priority_score"] = min(1.0, priority)


def new_topic() -> Record:
    return {
        "semantic_avg": 0.0,
        "keyword_avg": 0.0,
        "mastery_level": 0.0,
        "mastery_velocity": 0.0,
        "last_mastery": 0.0,
        "avg_response_time": 0.0,
        "sessions_attempted": 0,
        "questions_attempted": 0,
        "correct_count": 0,
        "consecutive_good": 0,
        "consecutive_poor": 0,
        "current_difficulty": "medium",
    }


def new_concept() -> Record:
    return {
        "mastery_level": 0.0,
        "attempts": 0,
        "times_mentioned": 0,
        "times_missed_when_sampled": 0,
        "last_seen": 0.0,
        "stagnation_count": 0,
        "is_weak": False,
        "is_strong": False,
        "priority_score": 0.5,
    }


def answer(
    after_seconds: float,
    semantic_score: float,
    keyword_score: float,
    response_time: float,
    mentioned: str = "",
    missed: str = "",
    starts_session: bool = False,
) -> Record:
    return {
        "at": START + after_seconds,
        "semantic_score": semantic_score,
        "keyword_score": keyword_score,
        "response_time": response_time,
        "mentioned": mentioned.split(),
        "missed": missed.split(),
        "starts_session": starts_session,
    }


TRAJECTORIES: dict[str, list[Record]] = {
    "good": [
        answer(0, 0.92, 0.85, 41.5, "locking deadlock", "", True),
        answer(75.25, 0.88, 1.0, 38.0, "locking index"),
        answer(160, 0.95, 0.75, 29.75, "deadlock locking", "index"),
        answer(244, 1.0, 1.0, 25.0, "locking index deadlock"),
        answer(330, 0.81, 0.9, 33.1, "locking"),
        answer(421, 0.97, 0.8, 22.0, "locking deadlock index"),
        answer(9000, 0.9, 0.95, 20.0, "locking", "", True),
        answer(9080, 0.99, 1.0, 18.5, "locking"),
        answer(9160, 0.86, 0.7, 21.0, "locking"),
        answer(9250, 0.93, 0.88, 19.0, "locking index"),
        answer(9340, 0.91, 0.86, 17.0, "locking"),
    ],
    "middling": [
        answer(0, 0.55, 0.5, 60, "normalization", "join", True),
        answer(120, 0.62, 0.61, 72.5, "join", "normalization"),
        answer(240, 0.48, 0.6, 66, "normalization join"),
        answer(360, 0.66, 0.66, 80, "join", "view"),
        answer(480, 0.51, 0.45, 59, "view", "normalization join"),
        answer(600, 0.7, 0.62, 63, "normalization view"),
    ],
    "poor": [
        answer(0, 0.31, 0.2, 90, "", "paging thrashing", True),
        answer(200, 0.12, 0.0, 140, "", "paging"),
        answer(400, 0.28, 0.25, 110, "", "paging thrashing"),
        answer(4200.5, 0.2, 0.1, 100, "thrashing", "segmentation", True),
        answer(4400, 0.35, 0.3, 95, "", "paging thrashing segmentation"),
        answer(4600, 0.05, 0.0, 10, "", "paging"),
    ],
    "silent": [
        answer(0, 0.0, 0.0, 5, "", "mutex semaphore monitor", True),
        answer(10, 0.0, 0.0, 4, "", "mutex semaphore monitor"),
        answer(20, 0.0, 0.0, 3, "", "mutex semaphore monitor"),
        answer(30, 0.0, 0.0, 0, "", "mutex semaphore monitor"),
    ],
    "no-concepts": [
        answer(0, 0.45, 0.55, 12, "", "", True),
        answer(3, 0.85, 0.65, 0.125),
    ],
    "mixed": [
        answer(0, 0.9, 0.9, 30, "acid", "index", True),
        answer(60, 0.85, 0.95, 35, "acid index"),
        answer(130, 0.8, 0.7, 40, "acid join"),
        answer(200, 0.1, 0.0, 300, "", "acid index join"),
        answer(300, 0.75, 0.8, 45, "index", "join"),
        answer(5000, 0.15, 0.1, 90000, "", "index join", True),
        answer(5100, 0.2, 0.05, 3600, "", "index"),
        answer(5200, 0.0, 0.0, 3600.5, "", "join"),
        answer(9000, 0.82, 0.9, 50, "acid index", "", True),
        answer(9100, 0.9, 0.85, 48, "index acid"),
        answer(9200, 0.95, 1.0, 44, "join"),
        answer(9300, 0.88, 0.92, 40, "join acid index"),
    ],
    "edges": [
        answer(0, 0.4, 0.4, 0, "cache", "", True),
        answer(3600, 0.4, 0.4, 3600, "", "tlb"),
        answer(7200, 0.2, 0.7, 1, "cache"),
        answer(10801, 0.25, 0.75, 1, "cache"),
        answer(10861, 0.6, 0.6, 1, "cache"),
        answer(10921, 0.6, 0.1 * 6, 1, "cache"),
        answer(10981, 0.7, 0.7, 1, "cache"),
        answer(11041, 0.9, 0.4, 1, "cache"),
        answer(11101, 0.64, 0.79, 1, "cache"),
        answer(11161, 1.0, 0.0, 1, "cache"),
        answer(11221, 0.0, 1.0, 1, "", "cache"),
    ],
    "ladder": [
        answer(0, 0.1, 0.1, 9, "", "b-tree", True),
        answer(30, 0.1, 0.1, 9, "", "b-tree"),
        answer(60, 0.1, 0.1, 9, "", "b-tree"),
        answer(90, 0.9, 0.9, 9, "b-tree"),
        answer(120, 0.9, 0.9, 9, "b-tree"),
        answer(150, 0.9, 0.9, 9, "b-tree"),
        answer(180, 0.9, 0.9, 9, "b-tree"),
        answer(210, 0.9, 0.9, 9, "b-tree"),
        answer(240, 0.1, 0.1, 9, "", "b-tree"),
        answer(270, 0.5, 0.5, 9, "b-tree"),
        answer(300, 0.1, 0.1, 9, "", "b-tree"),
        answer(330, 0.1, 0.1, 9, "", "b-tree"),
        answer(360, 0.1, 0.1, 9, "", "b-tree"),
        answer(390, 0.1, 0.1, 9, "", "b-tree"),
    ],
}


def trajectory(policy_name: str, answers: list[Record]) -> list[Record]:
    policy = POLICIES[policy_name]
    topic = new_topic()
    concepts: dict[str, Record] = {}
    steps = []
    for given in answers:
        update_mastery(topic, given, policy)
        for name in given["mentioned"] + given["missed"]:
            concept = concepts.setdefault(name, new_concept())
            record_attempt(concept, name in given["mentioned"], given["at"], policy_name == "guide")
        for concept in concepts.values():
            update_priority_score(concept, topic["mastery_velocity"], given["at"])
        documents = {name: dict(concept) for name, concept in concepts.items()}
        steps.append({"answer": given, "topic": dict(topic), "concepts": documents})
    return steps


def files() -> dict[str, str]:
    """The text of every golden file, by its name."""
    return {
        f"{policy_name}-{name}.json": "[\n" + ",\n".join(map(json.dumps, trajectory(policy_name, answers))) + "\n]\n"
        for policy_name in POLICIES
        for name, answers in TRAJECTORIES.items()
    }


if __name__ == "__main__":
    for file_name, text in files().items():
        (HERE / file_name).write_text(text, encoding="utf-8")
