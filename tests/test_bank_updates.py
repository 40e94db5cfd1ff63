"""A topic's file comes again: it is followed, but for what administrators imported or changed question by question."""

from dataclasses import replace
from datetime import UTC, datetime

import orjson

from bank_lines import read_document
from bank_updates import updated, updated_all
from mastery import Difficulty
from question_bank import Concept, Question, QuestionBank, Topic
from topic_files import checked_topic, topic_document

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


def asks(question_id: str, *concepts: str, text: str = "Why?", subtopic: str = "rules") -> Question:
    return Question(
        id=question_id,
        topic="chess",
        subtopic=subtopic,
        difficulty=Difficulty.EASY,
        text=text,
        concepts=concepts or ("Check",),
        expected_answers=("Because.",),
    )


CHECK, MATE = Concept(name="Check", subtopic="rules"), Concept(name="Mate", subtopic="ends", aliases=("checkmate",))
FILE = Topic(
    slug="chess", title="Chess", concepts=(CHECK, MATE), questions=(asks("a"), asks("b", "Mate"), asks("c", "Check"))
)


def edited(topic: Topic, question_id: str, **changes: object) -> Topic:
    """The topic after an administrator has changed a question."""
    changed = {question_id: replace(topic.question_by_id[question_id], edited_at=NOON, **changes)}  # type: ignore[arg-type]
    return replace(topic, questions=tuple(changed.get(one.id, one) for one in topic.questions))


def filing(topic: Topic) -> None:
    """What was made can be exported and imported again."""
    lines, values = read_document(orjson.dumps(topic_document(topic)).decode(), "chess.json", is_json=True)
    assert checked_topic(lines, values).question_by_id.keys() >= {one.id for one in topic.active_questions}


def test_a_topic_that_is_new_is_as_its_file_has_it() -> None:
    assert updated(None, FILE).topic is FILE


def test_questions_that_nobody_edited_follow_their_file() -> None:
    newer = replace(FILE, title="Chess!", questions=(asks("a", text="Why not?"), asks("d")))
    update = updated(FILE, newer)
    assert (update.topic, update.kept) == (newer, ())


def test_an_edited_question_stays_as_it_is_and_is_named_where_its_file_differs() -> None:
    stored = edited(FILE, "b", text="What ends a game?", difficulty=Difficulty.HARD)
    newer = replace(FILE, questions=(asks("a", text="Why not?"), *FILE.questions[1:]))
    update = updated(stored, newer)
    assert update.kept == ("b",)
    assert update.topic.questions == (newer.questions[0], stored.questions[1], newer.questions[2])
    assert update.topic.question_by_id["b"].edited_at == NOON
    agreeing = replace(FILE, questions=stored.questions)
    assert updated(stored, agreeing).kept == ()


def test_what_an_administrator_retired_or_restored_stays_so() -> None:
    retired = edited(FILE, "a", retired=True)
    update = updated(retired, FILE)
    assert (update.kept, update.topic.question_by_id["a"].retired) == (("a",), True)
    without = replace(FILE, questions=FILE.questions[1:])
    assert updated(retired, without).kept == ()
    restored = edited(FILE, "a", retired=False)
    update = updated(restored, without)
    assert (update.kept, update.topic.question_by_id["a"].retired) == (("a",), False)
    marked = replace(FILE, questions=(replace(FILE.questions[0], retired=True), *FILE.questions[1:]))
    assert not updated(restored, marked).topic.question_by_id["a"].retired


def test_with_overwriting_the_file_has_the_last_word() -> None:
    stored = edited(edited(FILE, "a", text="Mine?"), "b", retired=True)
    update = updated(stored, FILE, overwrite=True)
    assert (update.topic, update.kept) == (FILE, ())
    assert [one.edited_at for one in update.topic.questions] == [None] * 3


def test_concepts_that_an_edited_question_probes_stay_with_it() -> None:
    """Without aliases that now stand for another concept, and without prerequisites that are gone."""
    draw = Concept(name="Draw", subtopic="ends", aliases=("remis", "stalemate"), prerequisites=("Mate", "Check"))
    stored = edited(replace(FILE, concepts=(*FILE.concepts, draw)), "a", concepts=("Draw", "Check"), subtopic="ends")
    stalemate = Concept(name="Stalemate", subtopic="rules")
    newer = replace(FILE, concepts=(CHECK, stalemate), questions=(asks("a"), asks("c", "Stalemate")))
    update = updated(stored, newer)
    assert update.topic.concepts == (CHECK, stalemate, replace(draw, aliases=("remis",), prerequisites=("Check",)))
    assert update.topic.question_by_id["a"].concepts == ("Draw", "Check")
    filing(update.topic)


def test_an_edited_question_follows_its_concepts_where_the_file_calls_them_otherwise() -> None:
    stored = edited(FILE, "b", text="What ends a game?", subtopic="ends")
    end = Concept(name="End of the game", subtopic="rules", aliases=("mate",))
    newer = replace(FILE, concepts=(CHECK, end), questions=(asks("a"), asks("b", "End of the game")))
    question = updated(stored, newer).topic.question_by_id["b"]
    assert (question.text, question.concepts, question.subtopic) == ("What ends a game?", ("End of the game",), "rules")
    filing(updated(stored, newer).topic)


def test_a_topic_that_administrators_imported_is_left_and_named_where_its_file_differs() -> None:
    bank, newer = QuestionBank([FILE]), replace(FILE, title="Chess!")
    [update] = updated_all([newer], bank, imported={"chess"})
    assert (update.topic, update.is_left) == (FILE, True)
    [update] = updated_all([FILE], bank, imported={"chess"})
    assert (update.topic, update.is_left) == (FILE, False)
    [update] = updated_all([newer], bank, imported={"chess"}, overwrite=True)
    assert (update.topic, update.is_left) == (newer, False)


def test_no_load_takes_a_question_away_from_what_administrators_made() -> None:
    """Its id may come up in another topic's file: as chance has it, or because the question has moved there."""
    other = Topic(slug="go", title="Go", concepts=(CHECK,), questions=(replace(asks("a"), topic="go"), asks("x")))
    [update] = updated_all([other], QuestionBank([FILE]), imported={"chess"})
    assert ([one.id for one in update.topic.questions], update.kept) == (["x"], ("a",))
    [update] = updated_all([other], QuestionBank([FILE]), imported=())
    assert [one.id for one in update.topic.questions] == ["a", "x"]
    mine = QuestionBank([edited(FILE, "a", text="Mine?")])
    without = replace(FILE, questions=FILE.questions[1:])
    chess, go = updated_all([without, other], mine, imported=())
    assert chess.topic.question_by_id["a"].text == "Mine?"
    assert [one.id for one in go.topic.questions] == ["x"]
    chess, go = updated_all([without, other], mine, imported=(), overwrite=True)
    assert ("a" in chess.topic.question_by_id, "a" in go.topic.question_by_id) == (False, True)
