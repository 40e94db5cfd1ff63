"""A concept is mentioned by its name in any spelling or by what it is, and not where it is denied or means other."""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from config import ROOT
from embeddings import Encoder, KeptReadings, NoShelf, OnnxEncoder, Reading, Spans, make_ready
from question_bank import Concept
from reading.key_terms import ReadText, Vectors
from reading.mentions import ENOUGH_CONTEXT, LONGEST_AS_ONE, Mentions
from reading.nearness import ALONE, IN_CONTEXT, Nearness
from reading.words import Word, content_of, content_places, roots_of, words_in
from tests.delivered import delivered_topics
from tests.fakes import WordEncoder


def read(answer: str, vectors: Vectors | None = None) -> ReadText:
    """The answer with these vectors of its content words, or else with those of its stems."""
    if vectors is None:
        vectors = WordEncoder().read([answer], [content_places(answer)])[0].spans
    words = words_in(answer)
    return ReadText(words=words, content=content_of(words), vectors=vectors)


def mentions(answer: str, *names: str) -> bool:
    return Mentions(read(answer)).mention(names)


def joined_from(words: Sequence[Word], start: int) -> Iterator[str]:
    """The first few words from this one on as one: as they are typed, by their roots, or with the root of the last."""
    for end in range(start + 1, min(start + LONGEST_AS_ONE, len(words)) + 1):
        typed, roots = [word.folded for word in words[start:end]], [word.root for word in words[start:end]]
        yield from ("".join(typed), "".join(roots), "".join([*typed[:-1], roots[-1]]))


@given(st.lists(st.sampled_from("a ab ba running runs run three 3 locking locks".split()), max_size=7).map(" ".join))
def test_places_written_as_one_are_those_that_a_look_at_all_runs_finds(text: str) -> None:
    words = words_in(text)
    expected: dict[str, set[int]] = {"runrun": set(), "abba": set()}
    for start in range(len(words)):
        for written in joined_from(words, start):
            expected.setdefault(written, set()).add(start)
    finder = Mentions(read(text))
    assert {written: set(finder.written_as_one(written)) for written in expected} == expected


@pytest.mark.parametrize(
    "answer",
    [
        "a deadlock",
        "DEADLOCKS!",
        "both are deadlocked",
        "they are deadlocking",
        "a dead lock",
        "dead-locks",
        "(deadlock)",
        "the deadlock's cause",
        "the deadlock’s cause",
    ],
)
def test_a_concept_is_mentioned_in_any_inflection_hyphen_or_spacing(answer: str) -> None:
    assert mentions(answer, "Deadlock")


@pytest.mark.parametrize(
    "answer",
    ["write-ahead logging", "write ahead logs", "a writeahead log", "WRITE–AHEAD LOG", "the redo logs", "WALs"],
)
def test_a_name_of_several_words_is_mentioned_in_any_spacing_or_by_an_alias(answer: str) -> None:
    assert mentions(answer, "Write-ahead log", "WAL", "redo log")


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("a merge sort", "Mergesort"),
        ("mergesorts", "Merge sort"),
        ("a mergesort is stable", "Merge sort"),
        ("two races conditions here", "Racecondition"),
        ("copy on write", "Copy-on-write"),
        ("it is copyonwrite", "Copy-on-write"),
        ("first in, first out", "Firstinfirstout"),
        ("dead locking", "Deadlock"),
        ("two dead locks", "Deadlock"),
    ],
)
def test_spaces_and_hyphens_may_stand_elsewhere_than_in_the_name(answer: str, name: str) -> None:
    assert mentions(answer, name)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("the lock is dead", "Deadlock"),
        ("a lock", "Deadlock"),
        ("undeadlock", "Deadlock"),
        ("a nonatomic update", "Atomic"),
        ("an ahead write of the log", "Write-ahead log"),
        ("write the log", "Write-ahead log"),
        ("write ahead", "Write-ahead log"),
        ("so walk on", "WAL"),
        ("a sister of mine", "IS"),
        ("as is", "asis"),
        ("", "Deadlock"),
        ("→ …", "Deadlock"),
        ("anything", "→"),
        ("anything", ""),
    ],
)
def test_other_words_do_not_mention_a_concept(answer: str, name: str) -> None:
    assert not mentions(answer, name)


def test_without_a_name_nothing_is_mentioned() -> None:
    assert not mentions("a deadlock")


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("I prefer C++.", "C++"),
        ("(C++)", "C++"),
        ("C++/CLI", "C++"),
        ("c++ templates", "C++"),
        ("C# has them", "C#"),
        ("in C#, too", "C#"),
        ("plain C", "C"),
        ("a B+ tree", "B+ tree"),
        ("B+-trees", "B+ tree"),
    ],
)
def test_names_with_signs_are_mentioned(answer: str, name: str) -> None:
    assert mentions(answer, name)


@pytest.mark.parametrize(
    ("answer", "name"), [("C", "C++"), ("C#", "C++"), ("C++", "C#"), ("C++", "C"), ("C#", "C"), ("x+y", "C++")]
)
def test_names_with_signs_are_not_taken_for_one_another(answer: str, name: str) -> None:
    assert not mentions(answer, name)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("ＤＥＡＤＬＯＣＫ", "Deadlock"),
        ("ﬁle system", "File system"),
        ("e\u0301tat", "\u00e9tat"),
        ("STRASSE", "Straße"),
        ("ВЗАИМНАЯ блокировка", "Взаимная блокировка"),
        ("死锁", "死锁"),
        ("🔒deadlock🔒", "Deadlock"),
    ],
)
def test_a_concept_is_mentioned_in_any_writing(answer: str, name: str) -> None:
    assert mentions(answer, name)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("a deadlok", "Deadlock"),
        ("a daedlock", "Deadlock"),
        ("atomicty", "Atomicity"),
        ("it is a genrator", "Generator"),
        ("method resoltion order", "Method resolution order"),
        ("dynamic dipatch", "Dynamic dispatch"),
    ],
)
def test_a_mistyped_name_is_a_mention(answer: str, name: str) -> None:
    assert mentions(answer, name)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("they look", "Lock"),
        ("a lack", "Lock"),
        ("python2", "Python3"),
        ("readlock", "Deadlock"),
        ("automatic", "Atomic"),
        ("a headlong run", "Deadlock"),
    ],
)
def test_another_word_of_like_letters_is_no_typo(answer: str, name: str) -> None:
    assert not mentions(answer, name)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("the MRO decides", "Method resolution order"),
        ("the mro decides", "Method resolution order"),
        ("LRU", "Least recently used"),
        ("an LSM-tree wins", "Log-structured merge"),
        ("FIFO", "First in, first out"),
        ("the ACIDT", "Atomic consistent isolated durable transaction"),
    ],
)
def test_initials_of_three_to_five_words_are_a_mention(answer: str, name: str) -> None:
    assert mentions(answer, name)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("an FK", "Foreign key"),
        ("MR", "Method resolution order"),
        ("MROS", "Method resolution order"),
        ("the RMO", "Method resolution order"),
        ("M R O", "Method resolution order"),
        ("abcdef", "Alpha beta cosine delta epsilon fine"),
    ],
)
def test_other_initials_are_no_mention(answer: str, name: str) -> None:
    assert not mentions(answer, name)


def test_a_name_is_found_at_the_end_of_a_very_long_answer() -> None:
    answer = "filler words " * 5_000 + "which is a dead lock"
    words = words_in(answer)
    text = ReadText(words=words, content=words, vectors=np.zeros((len(words), 2), dtype=np.float32))
    assert Mentions(text).mention(["Deadlock"])
    assert not Mentions(text).mention(["Livelock"])


DENIALS = [
    ("It is not atomic.", "Atomic"),
    ("The update isn't atomic.", "Atomic"),
    ("The update isn’t atomic.", "Atomic"),
    ("IT WASN'T ATOMIC", "Atomic"),
    ("Such an update is never atomic.", "Atomic"),
    ("a non-atomic update", "Atomic"),
    ("a non atomic update", "Atomic"),
    ("It's not really atomic.", "Atomic"),
    ("That is not at all really a deadlock.", "Deadlock"),
    ("That's no generator.", "Generator"),
    ("That is no generator.", "Generator"),
    ("No, these are no generators.", "Generator"),
    ("I don't think it's starvation.", "Starvation"),
    ("I do not believe that this is starvation.", "Starvation"),
    ("I wouldn't call this a deadlock.", "Deadlock"),
    ("I would not call that a dead lock.", "Deadlock"),
    ("It is not a deadlok.", "Deadlock"),
    ("That is not the MRO.", "Method resolution order"),
    ("This is not write-ahead logging.", "Write-ahead log"),
]


@pytest.mark.parametrize(("answer", "name"), DENIALS)
def test_a_concept_that_is_said_not_to_be_so_is_not_mentioned(answer: str, name: str) -> None:
    assert not mentions(answer, name)


@pytest.mark.parametrize(("answer", "name"), DENIALS)
def test_a_denied_concept_is_not_mentioned_however_near_the_answer_is(answer: str, name: str) -> None:
    alike = np.array([[1, 0]] * len(content_of(words_in(answer))), dtype=np.float32)
    assert not Mentions(read(answer, alike)).mention([name], [near(1.0)])


@pytest.mark.parametrize(
    "answer",
    [
        "The algorithm is deadlock-free.",
        "So no deadlock.",
        "With ordered locks you get no deadlock.",
        "There's no deadlock.",
        "It works without deadlocks.",
        "It works without any deadlock.",
        "Deadlocks can't occur.",
        "A deadlock cannot occur.",
        "A deadlock is not possible.",
        "They cannot deadlock.",
        "They can't deadlock.",
        "They won't deadlock.",
        "The two don't deadlock.",
        "The second one doesn't deadlock.",
        "They shouldn't ever deadlock.",
        "The two did not deadlock.",
        "It prevents deadlock.",
        "It is not only a deadlock but a bug.",
        "Not every deadlock is found.",
        "It is not an index, it is a deadlock.",
        "I don't know, maybe a deadlock.",
        "I'm not sure, I think it's a deadlock.",
    ],
)
def test_a_concept_that_is_absent_or_prevented_is_mentioned(answer: str) -> None:
    assert mentions(answer, "Deadlock")


@pytest.mark.parametrize("answer", ["It is not only atomic but durable.", "not just atomic", "not merely atomic"])
def test_not_only_denies_nothing(answer: str) -> None:
    assert mentions(answer, "Atomic")


@pytest.mark.parametrize(
    "answer",
    [
        "It is not atomic, but it should be atomic.",
        "An atomic step would do; this is not atomic.",
        "atomic, not atomic",
    ],
)
def test_one_occurrence_that_is_not_denied_suffices(answer: str) -> None:
    assert mentions(answer, "Atomic")


def test_one_name_that_is_not_denied_suffices() -> None:
    assert mentions("It is not atomic but indivisible.", "Atomic", "Indivisible")
    assert not mentions("It is not atomic and never indivisible.", "Atomic", "Indivisible")


def near(*cosines: float) -> Vectors:
    """A description whose words have these cosines with every word of an answer made by `said`."""
    return np.array([[cosine, (1 - cosine**2) ** 0.5] for cosine in cosines], dtype=np.float32)


def said(answer: str, *vectors: Sequence[float]) -> Mentions:
    """Looks into an answer whose content words have these vectors, or else all the same."""
    words = len(content_of(words_in(answer)))
    return Mentions(read(answer, np.array(vectors or [(1, 0)] * words, dtype=np.float32).reshape(words, 2)))


def context(words: int, name: str = "deadlock") -> str:
    """An answer of that many content words that says the name."""
    return " ".join([*name.split(), *"green cheese moon tree house stone water paper glass".split()][:words])


def test_nearness_is_the_mean_of_the_best_cosines_of_the_words_of_a_description() -> None:
    answer = said("moon cheese", (1, 0), (0, 1))
    assert answer.nearness([np.array([[1, 0]], dtype=np.float32)]) == 1.0
    assert answer.nearness([np.array([[0, 1], [-1, 0]], dtype=np.float32)]) == 0.5
    assert answer.nearness([np.array([[0.6, 0.8], [0.8, -0.6], [0, 1]], dtype=np.float32)]) == pytest.approx(2.6 / 3)


def test_nearness_weighs_every_description_alike() -> None:
    assert said("moon").nearness([near(1.0), near(0.0, 0.0, 0.0)]) == pytest.approx(0.5)


def test_nearness_may_be_negative() -> None:
    assert said("moon").nearness([near(-0.5)]) == pytest.approx(-0.5)


def test_an_answer_without_a_word_is_near_to_nothing() -> None:
    assert said("→ …").nearness([near(1.0)]) == 0.0
    assert not said("→ …").mention(["Deadlock"], [near(1.0)])


def test_a_name_that_has_another_sense_is_less_near_than_a_paraphrase() -> None:
    assert IN_CONTEXT.other_sense < IN_CONTEXT.paraphrased


@pytest.mark.parametrize("answer", ["moon", context(20, "green")])
def test_an_answer_that_names_nothing_mentions_a_concept_from_a_certain_nearness(answer: str) -> None:
    assert said(answer).mention(["Deadlock"], [near(IN_CONTEXT.paraphrased + 0.001)])
    assert not said(answer).mention(["Deadlock"], [near(IN_CONTEXT.paraphrased - 0.001)])
    assert said(answer).mention([], [near(IN_CONTEXT.paraphrased + 0.001)])


def test_a_single_word_in_a_long_answer_has_another_sense_below_a_certain_nearness() -> None:
    answer = context(ENOUGH_CONTEXT)
    assert said(answer).mention(["Deadlock"], [near(IN_CONTEXT.other_sense + 0.001)])
    assert not said(answer).mention(["Deadlock"], [near(IN_CONTEXT.other_sense - 0.001)])
    assert not said(answer).mention(["Deadlock"], [near(-1.0)])


@pytest.mark.parametrize("name", ["Deadlock", "deadlocks", "Dead-locking!"])
def test_a_name_alone_is_a_mention(name: str) -> None:
    assert said(name).mention(["Deadlock"], [near(-1.0)])


def test_in_a_short_answer_a_name_is_a_mention() -> None:
    assert said(context(ENOUGH_CONTEXT - 1)).mention(["Deadlock"], [near(-1.0)])


def test_function_words_are_no_context() -> None:
    assert said("That is what it is, and it was so before: a deadlock.").mention(["Deadlock"], [near(-1.0)])


def test_a_name_of_several_words_has_no_other_sense() -> None:
    answer = context(ENOUGH_CONTEXT, "virtual call")
    assert said(answer).mention(["Virtual call"], [near(-1.0)])
    assert said(answer).mention(["Call", "Virtual call"], [near(-1.0)])
    assert not said(answer).mention(["Call"], [near(-1.0)])


def test_without_descriptions_names_decide() -> None:
    assert said(context(ENOUGH_CONTEXT)).mention(["Deadlock"])
    assert not said(context(ENOUGH_CONTEXT)).mention(["Livelock"])


@dataclass(frozen=True, kw_only=True)
class Pair:
    """An answer and a concept, and whether a person says that the answer mentions it."""

    topic: str
    concept: Concept
    kind: str
    mentioned: bool
    answer: str

    @property
    def names(self) -> tuple[str, ...]:
        return self.concept.name, *self.concept.aliases

    def __str__(self) -> str:
        return f"{self.concept.name} ({self.kind}): {self.answer[:60]}"


LABELLED = [path.stem for path in sorted((ROOT / "tests" / "mentions").glob("*.yaml"))]
TOPICS = [topic for topic in delivered_topics() if topic.slug in LABELLED]
"""Topics with labelled pairs; the others have none yet."""


def labelled_pairs() -> Iterator[Pair]:
    for topic in TOPICS:
        text = (ROOT / "tests" / "mentions" / f"{topic.slug}.yaml").read_text()
        for entry in yaml.load(text, Loader=yaml.CSafeLoader):
            concept = topic.concept_by_name[entry.pop("concept")]
            yield Pair(topic=topic.slug, concept=concept, **entry)


PAIRS = list(labelled_pairs())
CHOSEN_ON, CHECKED_ON = frozenset({"operating_systems", "python"}), frozenset({"dbms", "oop"})
"""The topics on whose pairs the thresholds were chosen, and the others."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The pairs as they were judged."""

    found: frozenset[Pair]

    def precision(self, pairs: Iterable[Pair]) -> float:
        found = [pair for pair in pairs if pair in self.found]
        return sum(pair.mentioned for pair in found) / len(found)

    def recall(self, pairs: Iterable[Pair]) -> float:
        mentioned = [pair for pair in pairs if pair.mentioned]
        return len(self.found.intersection(mentioned)) / len(mentioned)


class ReadsAlone:
    """Reads every span alone, as a model server does."""

    name = fingerprint = "alone"
    in_context = False

    def __init__(self) -> None:
        make_ready()
        self._encoder = OnnxEncoder(threads=1)

    def read(self, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
        parts = [[text[start:end] for start, end in some] for text, some in zip(texts, spans, strict=True)]
        words = sorted({word for some in parts for word in some})
        vectors = dict(zip(words, self._encoder.encode(words), strict=True))
        rows = (np.stack([vectors[word] for word in some]) for some in parts)
        return [Reading(vector=some[0], spans=some) for some in rows]


@pytest.fixture(scope="module")
def judged() -> Judged:
    """Every pair, judged with the real model as the scorer does."""
    make_ready()
    return judged_by(OnnxEncoder(threads=1), IN_CONTEXT)


@pytest.fixture(scope="module")
def judged_alone() -> Judged:
    """The same with words that were read alone."""
    return judged_by(ReadsAlone(), ALONE)


def judged_by(encoder: Encoder, nearness: Nearness) -> Judged:
    """The pairs by this encoder and with these thresholds."""
    readings = encoder.read([pair.answer for pair in PAIRS], [content_places(pair.answer) for pair in PAIRS])
    sentences = sorted({sentence for pair in PAIRS for sentence in pair.concept.descriptions})
    described = KeptReadings(encoder, NoShelf()).read(sentences, [content_places(text) for text in sentences])
    vectors = {text: reading.spans for text, reading in zip(sentences, described, strict=True)}
    return Judged(
        found=frozenset(
            pair
            for pair, reading in zip(PAIRS, readings, strict=True)
            if Mentions(read(pair.answer, reading.spans), nearness).mention(
                pair.names, [vectors[text] for text in pair.concept.descriptions]
            )
        )
    )


def of_kind(*kinds: str) -> list[Pair]:
    return [pair for pair in PAIRS if pair.kind in kinds]


def test_the_pairs_are_many_and_half_of_them_mention_nothing() -> None:
    assert len(PAIRS) >= 200
    assert len(set(PAIRS)) == len(PAIRS)
    assert sum(not pair.mentioned for pair in PAIRS) >= len(PAIRS) / 2


def test_most_answers_that_mention_nothing_share_a_word_with_the_name() -> None:
    sharing = [
        bool({word.root for name in pair.names for word in content_of(words_in(name))} & roots_of(pair.answer))
        for pair in PAIRS
        if not pair.mentioned
    ]
    assert sum(sharing) > len(sharing) / 2


def test_every_labelled_concept_has_pairs_of_both_sorts() -> None:
    assert [topic.slug for topic in TOPICS] == LABELLED
    hits, misses = (
        {(pair.topic, pair.concept.name) for pair in PAIRS if pair.mentioned is mentioned}
        for mentioned in (True, False)
    )
    assert hits == misses
    assert len(hits) >= 0.75 * sum(len(topic.concepts) for topic in TOPICS)


@pytest.mark.parametrize("topics", [CHOSEN_ON | CHECKED_ON, CHECKED_ON], ids=["all", "no threshold was chosen on"])
def test_nine_in_ten_mentions_are_right_and_three_in_four_are_found(judged: Judged, topics: Set[str]) -> None:
    pairs = [pair for pair in PAIRS if pair.topic in topics]
    assert len(pairs) >= 200
    assert judged.precision(pairs) >= 0.9
    assert judged.recall(pairs) >= 0.75


@pytest.mark.parametrize("topics", [CHOSEN_ON | CHECKED_ON, CHECKED_ON], ids=["all", "no threshold was chosen on"])
def test_with_words_read_alone_nearly_as_many_mentions_are_right_and_found(
    judged_alone: Judged, topics: Set[str]
) -> None:
    pairs = [pair for pair in PAIRS if pair.topic in topics]
    assert judged_alone.precision(pairs) >= 0.89
    assert judged_alone.recall(pairs) >= 0.75


@pytest.mark.parametrize("nearness", [IN_CONTEXT, ALONE], ids=["in context", "alone"])
def test_the_nearness_that_was_handed_in_decides(nearness: Nearness) -> None:
    words = read(context(ENOUGH_CONTEXT, "moon"), np.array([[1, 0]] * ENOUGH_CONTEXT, dtype=np.float32))
    for cosine in (nearness.paraphrased + 0.001, nearness.paraphrased - 0.001):
        assert Mentions(words, nearness).mention(["Deadlock"], [near(cosine)]) == (cosine > nearness.paraphrased)
    for cosine in (nearness.other_sense + 0.001, nearness.other_sense - 0.001):
        assert Mentions(words, nearness).mention(["Moon"], [near(cosine)]) == (cosine > nearness.other_sense)


def test_what_a_person_denies_is_no_mention(judged: Judged) -> None:
    denied = of_kind("denied")
    assert len(denied) >= 20
    assert [str(pair) for pair in denied if pair in judged.found] == []


def test_what_is_absent_is_not_taken_for_denied() -> None:
    absent = of_kind("absence")
    assert len(absent) >= 15
    assert [str(pair) for pair in absent if not mentions(pair.answer, *pair.names)] == []


@pytest.mark.parametrize("kinds", [("absence",), ("name", "spelling")], ids="-".join)
def test_nine_in_ten_names_are_found_in_their_answers(judged: Judged, kinds: Sequence[str]) -> None:
    assert judged.recall(of_kind(*kinds)) >= 0.9
