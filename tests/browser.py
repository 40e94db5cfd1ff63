"""Chromium before the served pages: who looks, at which size, in which light; and a learner with a long past."""

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import axe_playwright_python
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from adaptive_controller import SessionStatus
from adaptive_state import AdaptiveInterviewState, AnswerEvidence, TopicMastery
from app import create_app
from counts import SharedForecast
from forecast import step
from forecast_state import LearnerForecast
from forecast_terms import Evidence, SharedTerms, by_part, merge_evidence
from mastery import REFERENCE
from models import Attempt, Forecast, InterviewSession, User, UserMastery, db
from store import utc_now
from tests.conftest import PASSWORD, QUICK_HASHER, settings_for, unavailable
from tests.delivered import delivered_topics
from tests.fakes import WordEncoder
from tests.service import Service

ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()
AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
"""For tests only: it is never served."""

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
DESKTOP, PHONE, NARROWEST = (1280, 800), (390, 844), (320, 640)
WITHIN_MS = 20_000
"""How long a test waits for what it expects: long, for the machine may be busy."""

TOPICS = ("algorithms", "dbms", "networks", "oop", "operating_systems", "python", "security", "web")
CONCEPTS, ANSWERS, ANSWERS_OF_A_SESSION = 20, 250, 10
"""Of each topic: 8 × 20 = 160 concepts, 8 × 250 = 2,000 answers."""
RESTS = timedelta(days=3)
"""From topic to topic the last answer lies so much longer ago: some of what was known is due for review."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, headless; without one the test is skipped, or fails where servers were promised."""
    program = shutil.which("chromium")
    if program is None:
        unavailable("no chromium on the path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


class Visitor:
    """Somebody before the pages. What the console says, and every error of a script, is kept in `said`."""

    def __init__(self, browser: Browser, service: Service, size: tuple[int, int] = DESKTOP, **options: Any) -> None:
        self.origin = f"http://127.0.0.1:{service.port}"
        viewport: Any = {"width": size[0], "height": size[1]}
        self.context: BrowserContext = browser.new_context(viewport=viewport, base_url=self.origin, **options)
        self.context.set_default_timeout(WITHIN_MS)
        self.page: Page = self.context.new_page()
        self.said: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))

    def signed_in(self, login: str) -> "Visitor":
        """The same, signed in as the sign-in page does it: the token in a cookie, a note that there is one."""
        reply = self.context.request.post(
            "/api/auth/login", headers={"Refresh-Token-In": "cookie"}, data={"login": login, "password": PASSWORD}
        )
        assert reply.ok, reply.text()
        self.context.add_init_script("localStorage.setItem('gradus.signed-in', '1')")
        return self

    def open(self, path: str) -> Page:
        """Go there and wait until the page is drawn."""
        self.page.goto(path)
        return self.drawn()

    def drawn(self) -> Page:
        """Wait until the page is drawn."""
        self.page.wait_for_selector("main:not([aria-busy]) h1")
        return self.page

    def answer(self, text: str) -> None:
        """Write it, send it by the keyboard, and wait for what it was worth."""
        self.page.locator("#answer").fill(text)
        self.page.locator("#answer").press("Control+Enter")
        self.page.wait_for_selector(".onward")

    def violations(self, only: tuple[str, ...] = ()) -> list[str]:
        """What axe finds on this page, one line each."""
        if not self.page.evaluate("typeof axe === 'object'"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        rules = {"type": "rule", "values": list(only)} if only else {"type": "tag", "values": WCAG}
        found = self.page.evaluate("rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", rules)
        return [f"{one['id']}: {node['html']}" for one in found["violations"] for node in one["nodes"]]

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def see(page: Page, text: str) -> None:
    """The page shows this text."""
    expect(page.get_by_text(text).first).to_be_visible(timeout=WITHIN_MS)


def fill(database_url: str, *, learner: str, admin: str) -> None:
    """Sign up both in a prepared database, and give the learner a long past."""
    app = create_app(settings_for(database_url), encoder=WordEncoder(), hasher=QUICK_HASHER)
    client = app.test_client()
    for name in (learner, admin):
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        assert client.post("/api/auth/register", json=body).status_code == 201
    with app.app_context():
        ids = {user.username: user.id for user in db.session.query(User)}
        db.session.get(User, ids[admin]).role = "admin"
        chance = random.Random(7)
        for place, topic in enumerate(TOPICS):
            _live_through(ids[learner], topic, chance, talent=0.35 + 0.07 * place, until=utc_now() - place * RESTS)
        db.session.commit()
        db.session.remove()
        db.engine.dispose()


BANK = {one.slug: one for one in delivered_topics()}


def concepts_of(topic: str) -> list[str]:
    """Those of the question bank where it has the topic, and made up ones for the rest."""
    known = [concept.name for concept in BANK[topic].concepts] if topic in BANK else []
    made_up = [f"{topic.capitalize()} {number}" for number in range(1, CONCEPTS + 1)]
    return [*known, *made_up][:CONCEPTS]


class Foreteller:
    """Foretells one learner's answers in a topic, and learns from them."""

    def __init__(self, topic: str) -> None:
        self._questions = [one.id for one in BANK[topic].questions] if topic in BANK else []
        self._learner, self._terms = LearnerForecast(), SharedTerms()
        self._learned: dict[str, Evidence] = {}

    def foretold(self, ordinal: int, evidence: AnswerEvidence) -> dict[str, list[float]]:
        """What was foretold of an answer, as `Attempt.foretold` has it."""
        found = {}
        question = self._questions[ordinal % len(self._questions)] if self._questions else None
        for concept, outcome in evidence.outcomes:
            done = step(self._learner, self._terms, concept, question=question, outcome=outcome, at=evidence.at)
            found[concept] = [done.probability, done.shared.mean, done.shared.variance]
            self._learner = done.learner
            self._terms.add(done.learned)
            merge_evidence(self._learned, done.learned)
        return found

    def keep(self, user_id: int, topic: str, at: datetime) -> None:
        """Save what is remembered of the learner, and what all share."""
        db.session.add(Forecast(user_id=user_id, topic=topic, state=self._learner.to_document()))
        for part, evidence in by_part(self._learned).items():
            shared = {name: list(values) for name, values in evidence.items()}
            db.session.add(SharedForecast(topic=topic, part=part, slot=0, evidence=shared, changed_at=at))


def _live_through(user_id: int, topic: str, chance: random.Random, *, talent: float, until: datetime) -> None:
    row = UserMastery(user_id=user_id, topic=topic)
    names = concepts_of(topic)
    mastery, foreteller = TopicMastery(), Foreteller(topic)
    last_asked = dict.fromkeys(names, 0)
    for ordinal in range(1, ANSWERS + 1):
        at = until - timedelta(hours=7 * (ANSWERS - ordinal) + 1)
        begins = ordinal % ANSWERS_OF_A_SESSION == 1
        if begins:
            session = _session(user_id, topic, at)
            db.session.add(session)
            db.session.flush()
        score = min(1.0, max(0.0, chance.gauss(talent + 0.3 * ordinal / ANSWERS, 0.16)))
        key_terms = min(1.0, max(0.0, chance.gauss(score, 0.15)))
        sampled = sorted(chance.sample(names, 3), key=lambda name: -last_asked[name])  # what was long ago goes first
        last_asked.update(dict.fromkeys(sampled, ordinal))
        said = round(3 * score)
        evidence = AnswerEvidence(
            semantic_score=score,
            keyword_score=key_terms,
            response_time=chance.uniform(20, 120),
            at=at.timestamp(),
            mentioned=tuple(sampled[:said]),
            missed=tuple(sampled[said:]),
            starts_session=begins,
        )
        before, mastery = mastery, mastery.after(evidence, REFERENCE)
        attempt = _attempt(user_id, row, session.id, ordinal, evidence, before, mastery)
        attempt.foretold = foreteller.foretold(ordinal, evidence)
        db.session.add(attempt)
    row.become(mastery, at=until - timedelta(hours=1))
    db.session.add(row)
    foreteller.keep(user_id, topic, until)
    db.session.flush()


def _session(user_id: int, topic: str, at: datetime) -> InterviewSession:
    return InterviewSession(
        user_id=user_id,
        session_type="technical",
        status=SessionStatus.COMPLETED,
        topic=topic,
        max_questions=ANSWERS_OF_A_SESSION,
        max_minutes=30,
        questions_count=ANSWERS_OF_A_SESSION,
        combined_total=0.6 * ANSWERS_OF_A_SESSION,
        created_at=at,
        completed_at=at + timedelta(minutes=12),
        feedback="10 answers.",
        state_document=dict(AdaptiveInterviewState(topics=(topic,), topic=topic).to_document()),
    )


def _attempt(
    user_id: int,
    row: UserMastery,
    session_id: int,
    ordinal: int,
    evidence: AnswerEvidence,
    before: TopicMastery,
    after: TopicMastery,
) -> Attempt:
    combined = REFERENCE.combined_score(semantic_score=evidence.semantic_score, keyword_score=evidence.keyword_score)
    return Attempt(
        user_id=user_id,
        session_id=session_id,
        mastery_id=row.id,
        ordinal=ordinal,
        starts_session=evidence.starts_session,
        topic=row.topic,
        question_id=f"{row.topic}-{ordinal}",
        question=f"Question {ordinal} on {row.topic}: what happens, and why?",
        answer="It depends on how often the value is read and on who may change it meanwhile.",
        expected_answer="Readers share the value; whoever changes it takes a lock first.",
        difficulty=before.progress.current_difficulty,
        semantic_score=evidence.semantic_score,
        keyword_score=evidence.keyword_score,
        combined_score=combined,
        correct=REFERENCE.is_correct(evidence.keyword_score),
        response_time=evidence.response_time,
        matched_keywords=["readers", "value"],
        missed_keywords=["lock"],
        mentioned_concepts=list(evidence.mentioned),
        missed_concepts=list(evidence.missed),
        flags=[],
        scorer="tests",
        policy=REFERENCE.label,
        mastery_before=before.progress.mastery_level,
        mastery_after=after.progress.mastery_level,
        mastery_velocity=after.progress.mastery_velocity,
        difficulty_before=before.progress.current_difficulty,
        difficulty_after=after.progress.current_difficulty,
        created_at=datetime.fromtimestamp(evidence.at, tz=UTC),
    )
