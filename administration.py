"""Administration: what administrators do, over HTTP and from the shell."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from accounts import LastAdministrator, Role, login_key
from bank_formats import READERS, Document, Format
from bank_gates import ReadTopic
from bank_lines import PROBLEMS_TOLD, BankProblem, InvalidBank
from bank_updates import TopicUpdate, updated, updated_all
from counts import UNITS
from embeddings import KeptReadings, ModelEncoder
from mastery import MasteryPolicy
from models import AuditEvent, User, UserMastery
from question_bank import Question, QuestionBank, Topic
from reading.words import content_places
from resets import Reset, reset_mastery
from scoring import texts_read
from store import IMPORTED, AuditEntry, LevelCount, MissedConcept, NotFound, Page, Place, Store, checksum
from topic_files import checked_topic

ROLE_ACTION = "change_role"
IMPORT_ACTION = "import_questions"
MISSED_CONCEPTS_SHOWN = 5


Batches = Callable[[Sequence[str]], Iterable[Sequence[str]]]
"""How texts are handed to the model: at once, or in steps that somebody watches."""


@dataclass(frozen=True, kw_only=True)
class TopicStats:
    """How all learners stand in a topic. `mean_mastery` is None where nobody has a record."""

    topic: str
    learners: int
    mean_mastery: float | None
    levels: dict[str, int]
    most_missed_concepts: tuple[MissedConcept, ...]


@dataclass(frozen=True, kw_only=True)
class Stats:
    """How all learners stand. `learners` counts the accounts of learners, whether they have practised or not."""

    learners: int
    topics: tuple[TopicStats, ...]


@dataclass(frozen=True, kw_only=True)
class BankFile:
    """One topic's file; problems name it. One that came without a name has an empty one."""

    name: str
    text: str
    format: Format = Format.YAML

    @cached_property
    def document(self) -> Document:
        """What it says, not yet checked; raises `InvalidBank`."""
        return READERS[self.format](self.text, self.name)

    @classmethod
    def of(cls, name: str, content: bytes, file_format: Format) -> "BankFile":
        """The file of these bytes; raises `InvalidBank` where they are not UTF-8."""
        try:
            return cls(name=name, text=content.decode(), format=file_format)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise InvalidBank([BankProblem(name, line, f"This is not UTF-8: {error.reason}.")]) from None


@dataclass(frozen=True, kw_only=True)
class ImportedTopic:
    """A topic as it was imported. `retired` counts the questions that are no longer asked.

    `kept`: see `TopicUpdate`.
    """

    topic: str
    title: str
    questions: int
    concepts: int
    retired: int
    revision: int
    kept: tuple[str, ...] = ()
    warnings: tuple[BankProblem, ...] = ()


Look = Callable[[ReadTopic], Sequence[BankProblem]]
"""What somebody has to say about a topic that is imported all the same."""


def at_once(texts: Sequence[str]) -> Iterable[Sequence[str]]:
    """All texts in one batch."""
    return [texts]


def no_look(_read: ReadTopic) -> Sequence[BankProblem]:
    """Nothing is said."""
    return ()


class Administration:
    """Looks at learners, resets, gives roles, imports questions. `actor_id` is None where the shell asks."""

    def __init__(
        self, *, store: Store, encoder: ModelEncoder, policy: MasteryPolicy, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._encoder = encoder
        self._policy = policy
        self._clock = clock

    def users(self, q: str = "", *, limit: int, after: Place | None = None) -> Page[User]:
        """The accounts whose username or email contains `q` (or begins with fewer than 3 characters), by id."""
        return self._store.search_users(login_key(q), limit=limit, after=after)

    def user_named(self, login: str) -> User:
        """The account of that username or email; raises `NotFound`."""
        user = self._store.user_by_login(login_key(login))
        if user is None:
            raise NotFound(f"There is no account {login!r}.")
        return user

    def progress_of(self, user_id: int) -> tuple[User, Sequence[UserMastery]]:
        """An account and its mastery records; raises `NotFound`."""
        return self._store.user(user_id), self._store.masteries(user_id)

    def stats(self) -> Stats:
        """How all learners stand, in every topic that somebody has practised."""
        counts: defaultdict[str, list[LevelCount]] = defaultdict(list)
        missed: defaultdict[str, list[MissedConcept]] = defaultdict(list)
        for count in self._store.level_counts(self._policy):
            counts[count.topic].append(count)
        for concept in self._store.most_missed(per_topic=MISSED_CONCEPTS_SHOWN):
            missed[concept.topic].append(concept)
        return Stats(
            learners=self._store.count_users(Role.LEARNER),
            topics=tuple(
                self._topic_stats(topic, counts[topic], missed[topic]) for topic in sorted({*counts, *missed})
            ),
        )

    def _topic_stats(self, topic: str, counts: list[LevelCount], missed: list[MissedConcept]) -> TopicStats:
        learners = {count.level: count.learners for count in counts}
        total = sum(learners.values())
        return TopicStats(
            topic=topic,
            learners=total,
            mean_mastery=sum(count.mastery_units for count in counts) / UNITS / total if total else None,
            levels={level.name: learners.get(level.name, 0) for level in self._policy.levels},
            most_missed_concepts=tuple(missed),
        )

    def prepare_stats(self) -> bool:
        """Count all learners, unless they are counted by the policy in force; whether they were counted now."""
        with self._store.transaction():
            self._store.lock_counts()
            missing = not self._store.is_counted(self._policy)
            if missing:
                self._store.count_anew(self._policy, at=self._clock())
        return missing

    def recount_stats(self) -> None:
        """Count all learners anew; whoever answers meanwhile waits."""
        with self._store.transaction():
            self._store.count_anew(self._policy, at=self._clock())

    def reset(self, user_id: int, *, actor_id: int | None, topic: str, reason: str, dry_run: bool = False) -> Reset:
        """Delete a learner's mastery of a topic, or of `all`; see `reset_mastery`. Raises `NotFound`."""
        return reset_mastery(
            self._store,
            user_id=user_id,
            actor_id=actor_id,
            topic=topic,
            at=self._clock(),
            reason=reason,
            dry_run=dry_run,
        )

    def change_role(self, user_id: int, role: Role, *, actor_id: int | None) -> User:
        """Give an account a role. Raises `NotFound`, and `LastAdministrator` instead of leaving none."""
        with self._store.transaction():
            administrators = self._store.lock_users_of(Role.ADMIN, also=user_id)
            self._store.lock_learner(user_id)
            user = self._store.user(user_id)
            if role != Role.ADMIN and administrators == [user_id]:
                raise LastAdministrator("This is the last administrator: give the role to somebody else first.")
            if user.role != role:
                self._note(ROLE_ACTION, actor_id, user_id=user_id, details={"before": user.role, "after": role})
                user.role = role
        return user

    def audit(self, *, limit: int, after: Place | None = None) -> Page[AuditEntry]:
        """The audit log, newest first."""
        return self._store.audit_page(limit=limit, after=after)

    def import_questions(
        self,
        files: Sequence[BankFile],
        *,
        actor_id: int | None,
        overwrite: bool = False,
        batches: Batches = at_once,
        look: Look = no_look,
    ) -> list[ImportedTopic]:
        """Take over topics from files, all or none; questions that are no longer in their topic's file are retired.

        Questions that were edited by themselves stay as they are, unless `overwrite` is wanted. `look` is asked of each
        topic before anything is written, and its complaints refuse nothing. Raises `InvalidBank` with every problem,
        and `ModelUnavailable`.
        """
        bank = self._store.bank()
        topics, warnings = _read(files, bank, look)
        texts = kept_texts(topics)
        self._store.release()
        keep_readings(self._encoder, self._store, batches(texts))
        with self._store.transaction():
            self._store.lock_bank()
            if self._store.bank() is not bank:  # changed while the answers were encoded
                bank = self._store.bank()
                topics, _ = _read(files, bank)
            return [
                replace(self._import(topic, file, bank, actor_id=actor_id, overwrite=overwrite), warnings=found)
                for topic, file, found in zip(topics, files, warnings, strict=True)
            ]

    def load_topics(
        self, topics: Iterable[Topic], *, source: str, checksum: str, overwrite: bool = False
    ) -> list[TopicUpdate]:
        """Take over all that a source holds, and retire what it no longer holds; what became of each topic.

        What administrators made stays, unless `overwrite` is wanted: topics that they imported, questions that they
        edited by themselves.
        """
        with self._store.transaction():
            self._store.lock_bank()
            origins = self._store.topic_sources()
            imported = {slug for slug, origin in origins.items() if origin.startswith(IMPORTED)}
            updates = updated_all(topics, self._store.bank(), imported=imported, overwrite=overwrite)
            self._store.save_topics(
                [update.topic for update in updates if overwrite or update.topic.slug not in imported],
                source=source,
                checksum=checksum,
                at=self._clock(),
                overwrite=overwrite,
            )
        return updates

    def _import(
        self, given: Topic, file: BankFile, bank: QuestionBank, *, actor_id: int | None, overwrite: bool
    ) -> ImportedTopic:
        update = updated(bank.topics.get(given.slug), given, overwrite=overwrite)
        topic, content = update.topic, checksum([file.text.encode()])
        revision = self._store.save_topics(
            [topic], source=f"{IMPORTED}{topic.slug}", checksum=content, at=self._clock(), overwrite=overwrite
        )
        done = ImportedTopic(
            topic=topic.slug,
            title=topic.title,
            questions=len(topic.active_questions),
            concepts=len(topic.concepts),
            retired=_lost(topic, bank),
            revision=revision,
            kept=update.kept,
        )
        details = {
            "questions": done.questions,
            "concepts": done.concepts,
            "retired": done.retired,
            "kept": len(done.kept),
            "overwrite": overwrite,
        }
        self._note(
            IMPORT_ACTION, actor_id, topic=topic.slug, details={**details, "revision": revision, "checksum": content}
        )
        return done

    def _note(
        self,
        action: str,
        actor_id: int | None,
        *,
        user_id: int | None = None,
        topic: str | None = None,
        details: dict[str, object],
    ) -> None:
        event = AuditEvent(
            at=self._clock(), action=action, actor_id=actor_id, user_id=user_id, topic=topic, details=details
        )
        self._store.add_audit_event(event)


def kept_texts(topics: Iterable[Topic]) -> list[str]:
    """The texts of topics that answers are held against: what concepts are, and all that is read of questions."""
    topics = list(topics)
    described = [text for topic in topics for concept in topic.concepts for text in concept.descriptions]
    return [*described, *expected_texts(question for topic in topics for question in topic.questions)]


def expected_texts(questions: Iterable[Question]) -> list[str]:
    """The expected answers of all questions, with the keywords that they do not hold."""
    return [text for question in questions for text in texts_read(question.expected_answers, question.keywords)]


def keep_readings(encoder: ModelEncoder, store: Store, batches: Iterable[Sequence[str]]) -> None:
    """Fill the shelf of readings, so that no learner waits for it; raises `ModelUnavailable`."""
    encoder.load()
    for texts in batches:
        KeptReadings(encoder, store, size=len(texts)).read(texts, [content_places(text) for text in texts])


def _read(
    files: Iterable[BankFile], bank: QuestionBank, look: Look = no_look
) -> tuple[list[Topic], list[tuple[BankProblem, ...]]]:
    """The topics of all files, and what their readers and `look` say of each; raises `InvalidBank` with all problems.

    The lines of a file are needed for that only, and forgotten: they take ten times the room of its topic.
    """
    topics: list[Topic] = []
    warnings: list[tuple[BankProblem, ...]] = []
    problems: list[BankProblem] = []
    taken: dict[str, str] = {}
    for file in files:
        try:
            lines = file.document.lines
            topic = checked_topic(lines, file.document.values, taken, owners=bank.owners)
            topics.append(topic)
            warnings.append(_bounded([*file.document.notices, *look(ReadTopic(topic=topic, lines=lines))]))
        except InvalidBank as error:
            problems.extend(error.problems)
    if problems:
        raise InvalidBank(problems)
    return topics, warnings


def _bounded(warnings: Sequence[BankProblem]) -> tuple[BankProblem, ...]:
    """The first warnings, and how many more there are."""
    if len(warnings) <= PROBLEMS_TOLD:
        return tuple(warnings)
    rest = f"There are {len(warnings) - PROBLEMS_TOLD} more warnings."
    return (*warnings[:PROBLEMS_TOLD], BankProblem(warnings[0].file, 0, rest))


def _lost(topic: Topic, bank: QuestionBank) -> int:
    """How many questions are asked now and will not be when the topic is as it is given."""
    if topic.slug not in bank.topics:
        return 0
    kept = {question.id for question in topic.active_questions}
    return sum(question.id not in kept for question in bank.topic(topic.slug).active_questions)
