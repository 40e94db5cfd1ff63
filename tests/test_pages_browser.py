"""The pages as people meet them: Debian's Chromium, real gunicorn, the real model."""

import json
import math
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, Route, expect

from config import ROOT
from tests.browser import (
    ANSWERS,
    CONCEPTS,
    DESKTOP,
    NARROWEST,
    PHONE,
    TOPICS,
    WITHIN_MS,
    Visitor,
    chromium,
    fill,
    see,
)
from tests.conftest import PASSWORD
from tests.service import Service, served
from tests.test_admin import GIFT, send, sign_up_admin

HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
ANSWER = (
    "An index is a B+ tree whose leaves point to rows; a transaction takes locks and writes a log before it commits."
)
BUDGET_MS = 1000
SHOWN = ROOT / "docs" / "pages"

LEARNERS_PAGES = (
    "/progress",
    "/topics/dbms",
    "/topics/oop",
    "/topics/nothing",
    "/practice",
    "/history",
    "/plan",
    "/account",
)
ADMINS_PAGES = (
    "/admin",
    "/admin/statistics",
    "/admin/forecasts",
    "/admin/audit",
    "/admin/questions",
    "/practice/nowhere",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def service(browser: Browser, served_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose learner `grace` has 8 topics, 160 concepts and 2,000 answers; `root` is the administrator."""
    url = f"sqlite:///{served_database}"
    fill(url, learner="grace", admin="root")
    log = tmp_path_factory.mktemp("pages") / "log.txt"
    with served(url, log, ready="/readyz", RATE_LIMITS_ENABLED="false") as running:
        yield running


@pytest.fixture
def visit(browser: Browser, service: Service) -> Iterator[Callable[..., Visitor]]:
    visitors: list[Visitor] = []

    def come(size: tuple[int, int] = DESKTOP, **options: Any) -> Visitor:
        visitors.append(Visitor(browser, service, size, **options))
        return visitors[-1]

    yield come
    for visitor in visitors:
        visitor.context.close()


def registered(service: Service, name: str) -> str:
    """A new account's access token."""
    body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    token: str = service.call("POST", "/api/auth/register", body).json["access_token"]
    return token


def mastery_shown(page: Page) -> int:
    return int(page.locator(".figures .number").inner_text().partition("%")[0])


def test_from_signing_up_over_three_answers_to_progress_and_back(visit: Callable[..., Visitor]) -> None:
    visitor = visit(PHONE)
    page = visitor.open("/")
    page.get_by_role("link", name="Make an account").click()
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Email").fill("ada@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make an account").click()
    see(page, "Nothing measured yet")
    page.get_by_role("button", name=re.compile("^Practise ")).first.click()
    levels = []
    for number in (1, 2, 3):
        see(page, f"Question {number} of 5")
        visitor.answer(ANSWER)
        levels.append(page.locator(".change").inner_text())
        see(page, "Expected answer")
        if number < 3:
            page.get_by_role("button", name="Next question").click()
    assert len(set(levels)) == 3
    page.get_by_role("button", name="End session").click()
    page.get_by_role("button", name="End the session").click()
    see(page, "Session summary")
    page.get_by_role("link", name="Progress", exact=True).click()
    expect(page.locator("article.card")).to_have_count(1)
    assert mastery_shown(page) > 0
    see(page, "early estimate")
    page.locator("article.card h3 a").click()
    page.get_by_role("button", name="Reset").click()
    page.get_by_role("button", name="Reset this topic").click()
    see(page, "Mastery was reset for the topic")
    page.get_by_role("link", name="Progress", exact=True).click()
    see(page, "Nothing measured yet")
    assert visitor.said == []


def started(visitor: Visitor, service: Service, name: str) -> str:
    """A new learner before their first question; their access token."""
    token = registered(service, name)
    visitor.signed_in(name).open("/practice")
    visitor.page.get_by_label("Databases").check()
    visitor.page.get_by_role("button", name="Start", exact=True).click()
    visitor.page.wait_for_selector("#answer")
    return token


def recorded(service: Service, token: str) -> list[dict[str, Any]]:
    points: list[dict[str, Any]] = service.call("GET", "/api/user/progress/history", token=token).json["points"]
    return points


def test_an_answer_given_offline_goes_out_later_and_is_recorded_once(
    visit: Callable[..., Visitor], service: Service
) -> None:
    visitor = visit()
    token = started(visitor, service, "offline")
    page = visitor.page
    visitor.context.set_offline(True)
    page.locator("#answer").fill(ANSWER)
    page.get_by_role("button", name="Send").click()
    see(page, "Your answer is kept here and goes out by itself, once.")
    see(page, "You are offline. What you write is kept here.")
    assert recorded(service, token) == []
    visitor.context.set_offline(False)
    page.wait_for_selector(".onward")
    assert len(recorded(service, token)) == 1


def test_an_answer_whose_reply_is_lost_is_repeated_under_its_key_even_after_a_reload(
    visit: Callable[..., Visitor], service: Service
) -> None:
    visitor = visit()
    token = started(visitor, service, "lost")
    page, sent = visitor.page, []

    def lose_the_first_reply(route: Route) -> None:
        sent.append((route.request.headers["idempotency-key"], route.request.post_data))
        if len(sent) == 1:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/answers", lose_the_first_reply)
    page.locator("#answer").fill(ANSWER)
    page.locator("#answer").press("Control+Enter")
    see(page, "Not delivered yet.")
    assert len(recorded(service, token)) == 1
    with page.expect_response("**/answers") as repeated:
        page.reload()
    assert repeated.value.headers["idempotency-replayed"] == "true"
    see(page, "Expected answer")
    assert sent[0] == sent[1]
    assert len(recorded(service, token)) == 1
    page.get_by_role("button", name="Next question").click()
    see(page, "Question 2 of 10")


def test_a_draft_survives_a_reload(visit: Callable[..., Visitor], service: Service) -> None:
    visitor = visit()
    started(visitor, service, "drafter")
    visitor.page.locator("#answer").fill("Half a thought")
    visitor.page.reload()
    expect(visitor.page.locator("#answer")).to_have_value("Half a thought")


def test_the_time_can_be_hidden_and_stays_so(visit: Callable[..., Visitor], service: Service) -> None:
    visitor = visit()
    started(visitor, service, "hurried")
    page = visitor.page
    expect(page.get_by_role("timer")).to_be_visible()
    page.get_by_role("button", name="Hide the time").click()
    page.reload()
    expect(page.get_by_role("button", name="Show the time")).to_be_visible()
    expect(page.get_by_role("timer")).to_be_hidden()


def test_a_debugging_challenge_has_coloured_code_and_a_marked_correction(
    visit: Callable[..., Visitor], service: Service
) -> None:
    registered(service, "debugger")
    visitor = visit().signed_in("debugger")
    page = visitor.open("/practice")
    page.get_by_role("button", name="Start debugging").click()
    see(page, "Challenge 1")
    assert page.locator(".code .word").count() > 0
    visitor.answer("The condition is wrong, so the last element is left out.")
    see(page, "The correction")
    assert page.locator(".code .changed").count() > 0
    assert visitor.said == []


def test_what_the_dry_run_says_is_what_the_reset_does(visit: Callable[..., Visitor], service: Service) -> None:
    token = registered(service, "pupil")
    for topic in ("dbms", "oop"):
        seen = {"topic": topic, "concepts": ["Deadlock"], "semantic_score": 0.5, "keyword_score": 0.5}
        assert service.call("POST", "/api/adaptive/observations", seen, token=token).status == 201
    visitor = visit().signed_in("root")
    page = visitor.open("/admin")
    page.get_by_label("Part of a username").fill("pupil")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="pupil").click()
    page.get_by_label("What to reset").select_option("all")
    page.get_by_label("Reason").fill("A new term begins.")
    page.get_by_role("button", name="Preview").click()
    see(page, "This would delete 2 records of pupil")
    assert page.locator(".preview li").all_inner_texts() == [
        "Databases: mastery 15% from 1 answer",
        "Object-oriented programming: mastery 15% from 1 answer",
    ]
    assert service.call("GET", "/api/user/progress", token=token).json["overall"]["topics_count"] == 2
    page.get_by_role("button", name="Reset …").click()
    go = page.get_by_role("button", name="Reset now")
    expect(go).to_be_disabled()
    page.get_by_label("Type “all” to confirm").fill("all")
    go.click()
    see(page, "2 records deleted")
    see(page, "No mastery")
    assert service.call("GET", "/api/user/progress", token=token).json["topics"] == {}
    learner = visit().signed_in("pupil").open("/progress")
    see(learner, "“A new term begins.”")
    assert visitor.said == []


def test_a_change_after_the_preview_asks_for_another(visit: Callable[..., Visitor], service: Service) -> None:
    grace = next(one["id"] for one in users(service, "grace"))
    page = visit().signed_in("root").open(f"/admin/users/{grace}")
    page.get_by_label("Reason").fill("A new term begins.")
    page.get_by_role("button", name="Preview").click()
    page.wait_for_selector(".preview")
    page.get_by_label("What to reset").select_option("oop")
    expect(page.locator(".preview")).to_have_count(0)


def token_of(service: Service, name: str) -> str:
    """The access token of another login of theirs."""
    token: str = service.call("POST", "/api/auth/login", {"login": name, "password": PASSWORD}).json["access_token"]
    return token


def users(service: Service, q: str) -> list[dict[str, Any]]:
    token = token_of(service, "root")
    found: list[dict[str, Any]] = service.call("GET", f"/api/admin/users?q={q}", token=token).json["users"]
    return found


def test_an_import_shows_its_problems_by_line(visit: Callable[..., Visitor]) -> None:
    page = visit().signed_in("root").open("/admin/questions")
    page.get_by_label("Its content").fill("topic: chess\ntitle: Chess\nconcepts: []\nquestions: []\nextra: 1\n")
    page.get_by_role("button", name="Import").click()
    see(page, "The question bank was not changed")
    page.get_by_role("button", name="Line 5").click()
    selected = page.evaluate("(box => box.value.slice(box.selectionStart, box.selectionEnd))(document.activeElement)")
    assert selected == "extra: 1"


def test_a_sheet_is_imported_as_what_the_name_of_its_file_says(visit: Callable[..., Visitor]) -> None:
    page = visit().signed_in("root").open("/admin/questions")
    sheet = b"kind,topic,title\ntopic,chess,Chess\nconcpet,,\n"
    page.get_by_label("A file").set_input_files({"name": "chess.csv", "mimeType": "text/csv", "buffer": sheet})
    page.get_by_role("button", name="Import").click()
    see(page, "The kind 'concpet' is not topic, concept or question.")
    page.get_by_role("button", name="Line 3").click()


def test_a_file_that_is_not_utf_8_is_not_taken_for_one(visit: Callable[..., Visitor]) -> None:
    page = visit().signed_in("root").open("/admin/questions")
    page.get_by_label("Its content").fill("What stood there before")
    latin = FilePayload(name="chess.yaml", mimeType="application/yaml", buffer="title: Läufer\n".encode("latin-1"))
    page.get_by_label("A file").set_input_files(latin)
    see(page, "chess.yaml is not UTF-8: save it as that first.")
    expect(page.get_by_label("Its content")).to_have_value("What stood there before")


def test_what_an_import_warns_of_is_shown_by_line(
    visit: Callable[..., Visitor], app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reply is a real one, but of another service: this one's bank stays as it is."""
    monkeypatch.setattr("administration.PROBLEMS_TOLD", 3)
    reply = send(sign_up_admin(app), GIFT, "text/x-gift").json
    visitor = visit().signed_in("root")
    page = visitor.open("/admin/questions")
    page.route("**/api/admin/questions/import**", lambda route: route.fulfill(status=201, json=reply))
    page.get_by_label("Its content").fill(GIFT)
    page.get_by_role("button", name="Import").click()
    see(page, "Chess: 1 question, 1 concept, 0 retired.")
    see(page, "Taken over all the same:")
    shown, told = page.locator(".problems li"), reply["warnings"]
    assert shown.locator("p").all_inner_texts() == [one["message"] for one in told]
    assert shown.get_by_role("button").all_inner_texts() == [f"Line {one['line']}" for one in told if "line" in one]
    assert "line" not in told[-1]
    assert visitor.said == []


def test_a_round_with_the_keyboard_alone(visit: Callable[..., Visitor], service: Service) -> None:
    registered(service, "typist")
    visitor = visit()
    page = visitor.open("/sign-in")
    keys = page.keyboard
    keys.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    while page.evaluate("document.activeElement.name") != "login":
        keys.press("Tab")
    for text in ("typist", PASSWORD):
        keys.type(text)
        keys.press("Tab" if text == "typist" else "Enter")
    see(page, "Nothing measured yet")
    keys.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    keys.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    keys.press("n")
    page.wait_for_selector("#answer:focus")
    keys.type("A lock? I would look at n and g first.")
    keys.press("Control+Enter")
    page.wait_for_selector("h1:focus")
    keys.press("n")
    see(page, "Question 2 of 5")
    page.wait_for_selector("#answer:focus")
    for label in ("Send", "I don’t know"):
        keys.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == label
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    keys.press("Enter")
    see(page, "because nothing was answered")
    page.wait_for_selector("h1:focus")
    keys.press("g")
    keys.press("h")
    expect(page.get_by_role("heading", name="History", exact=True)).to_be_focused(timeout=WITHIN_MS)
    assert visitor.said == []


def test_a_dialog_that_was_closed_takes_no_key_any_more(visit: Callable[..., Visitor]) -> None:
    """The browser says that one is closed a moment after it is: whoever types fast has pressed the next key by then."""
    page = visit().open("/sign-in")
    page.keyboard.press("?")
    close_and_press = """key => {
        document.querySelector("dialog").close();
        document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    }"""
    page.evaluate(close_and_press, "t")
    expect(page.get_by_role("button", name="Theme: light. Change")).to_be_visible()
    page.keyboard.press("?")
    page.evaluate(close_and_press, "?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()


def test_hostile_text_is_shown_as_text(visit: Callable[..., Visitor], service: Service) -> None:
    token = registered(service, "mallory")
    topic = HOSTILE.replace("/", "")[:64]
    seen = {
        "topic": topic,
        "question": HOSTILE,
        "answer": HOSTILE,
        "expected_answers": [HOSTILE],
        "concepts": [HOSTILE],
    }
    assert service.call("POST", "/api/adaptive/observations", seen, token=token).status == 201
    held = {"session_type": "mock", "topic": topic, "score": 50, "duration": 60, "feedback": HOSTILE}
    assert service.call("POST", "/api/sessions", held, token=token).status == 201
    visitor = visit().signed_in("mallory")
    page = visitor.open("/progress")
    page.get_by_role("link", name=topic).first.click()
    see(page, "Last answers")
    page.locator(".past summary").click()
    assert HOSTILE in page.locator(".past").inner_text()
    for path in ("/history", "/plan", "/account"):
        assert topic in visitor.open(path).locator("main").inner_text()
    visitor.open("/history").get_by_role("link", name=topic).click()
    see(page, HOSTILE)
    started_page = visitor.open("/practice")
    started_page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_selector("#answer")
    visitor.answer(HOSTILE)
    assert HOSTILE in page.locator(".beside").inner_text()
    assert page.locator("main img, main script").count() == 0
    assert page.evaluate("window.hacked") is None
    assert visitor.said == []


def test_the_browser_itself_refuses_markup_made_of_text(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.open("/sign-in")
    made = "() => { try { document.body.innerHTML = '<b>x</b>'; return 'made'; } catch { return 'refused'; } }"
    assert page.evaluate(made) == "refused"


def test_tokens_are_out_of_reach_of_scripts_and_a_reload_stays_signed_in(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.open("/sign-in?next=/history")
    page.get_by_label("Username or email").fill("grace")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    see(page, "Times are those of your own zone.")
    [cookie] = visitor.context.cookies(f"{visitor.origin}/api/auth/refresh")
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/api/auth")
    stored = page.evaluate("document.cookie + JSON.stringify({...localStorage}) + JSON.stringify({...sessionStorage})")
    assert "eyJ" not in stored
    page.reload()
    see(page, "Times are those of your own zone.")
    visitor.open("/account").get_by_role("button", name="Sign out").click()
    see(page, "Welcome back")
    assert visitor.context.cookies(f"{visitor.origin}/api/auth/refresh") == []
    page.goto("/progress")
    see(page, "Welcome back")
    assert visitor.said == []


def test_a_refresh_whose_reply_is_lost_costs_no_login(visit: Callable[..., Visitor], service: Service) -> None:
    registered(service, "unlucky")
    visitor = visit().signed_in("unlucky")
    page, keys = visitor.page, []

    def lose_the_first_reply(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            service.call("POST", "/api/auth/refresh", headers=as_sent(visitor, keys[0]))
            route.abort()
        else:
            route.continue_()

    page.route("**/api/auth/refresh", lose_the_first_reply)
    page.goto("/progress")
    see(page, "The service does not reply")
    with page.expect_response("**/api/auth/refresh") as repeated:
        page.get_by_role("button", name="Try again").click()
    see(page, "Nothing measured yet")
    assert repeated.value.headers["idempotency-replayed"] == "true"
    page.reload()
    see(page, "Nothing measured yet")
    assert len({*keys}) == 2


def as_sent(visitor: Visitor, key: str) -> dict[str, str]:
    """The headers of a refresh from that browser, whose reply it does not get."""
    [cookie] = visitor.context.cookies(f"{visitor.origin}/api/auth/refresh")
    return {
        "Cookie": f"{cookie.get('name')}={cookie.get('value')}",
        "Refresh-Token-In": "cookie",
        "Idempotency-Key": key,
    }


def test_an_account_is_exported_given_another_password_and_deleted(
    visit: Callable[..., Visitor], service: Service
) -> None:
    registered(service, "leaver")
    visitor = visit().signed_in("leaver")
    page = visitor.open("/account")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download my data").click()
    assert json.loads(Path(download.value.path()).read_text(encoding="utf-8"))["account"]["username"] == "leaver"
    page.get_by_label("Password now").fill(PASSWORD)
    page.get_by_label("New password").fill("another correct horse")
    page.get_by_role("button", name="Change the password").click()
    see(page, "The password was changed.")
    page.get_by_role("button", name="Delete …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Password").fill("another correct horse")
    expect(dialog.get_by_role("button", name="Delete my account")).to_be_disabled()
    dialog.get_by_label("Type “leaver” to confirm").fill("leaver")
    dialog.get_by_role("button", name="Delete my account").click()
    see(page, "Welcome back")
    login = {"login": "leaver", "password": "another correct horse"}
    assert service.call("POST", "/api/auth/login", login).status == 401
    assert visitor.said == []


def words_kept(page: Page) -> list[str]:
    """What the browser keeps of drafts, and of a refresh that was not replied to."""
    names: list[str] = page.evaluate("Object.keys(localStorage).sort()")
    return [name for name in names if name.startswith(("gradus.draft.", "gradus.spending"))]


SOMEBODY_ELSES = "gradus.draft.999999.1.index"


def written_by(visitor: Visitor, service: Service, name: str) -> Page:
    """The account page of a new learner who has left a draft, where somebody else has left one too."""
    started(visitor, service, name)
    visitor.page.locator("#answer").fill("What nobody else should read")
    visitor.open("/account")
    visitor.page.evaluate(
        "name => { localStorage.setItem(name, '{}'); localStorage.setItem('gradus.spending', 'a key'); }",
        SOMEBODY_ELSES,
    )
    assert len(words_kept(visitor.page)) == 3
    return visitor.page


def test_nobody_is_signed_out_while_the_service_is_not_reached(visit: Callable[..., Visitor], service: Service) -> None:
    visitor = visit()
    page = written_by(visitor, service, "stranded")
    visitor.context.set_offline(True)
    page.get_by_role("button", name="Sign out").click()
    see(page, "You are still signed in.")
    expect(page.get_by_role("heading", name="stranded")).to_be_visible()
    assert len(words_kept(page)) == 3
    visitor.context.set_offline(False)
    page.get_by_role("button", name="Sign out").click()
    see(page, "Welcome back")
    assert words_kept(page) == [SOMEBODY_ELSES]
    assert visitor.context.cookies(f"{visitor.origin}/api/auth/refresh") == []


def test_signing_out_of_a_login_that_has_ended_elsewhere_works(visit: Callable[..., Visitor], service: Service) -> None:
    visitor = visit()
    page = written_by(visitor, service, "elsewhere")
    login = {"login": "elsewhere", "password": PASSWORD}
    token = service.call("POST", "/api/auth/login", login).json["access_token"]
    changed = {"current_password": PASSWORD, "new_password": "another correct horse"}
    assert service.call("POST", "/api/auth/password", changed, token=token).status == 200
    page.get_by_role("button", name="Sign out").click()
    see(page, "Welcome back")
    assert words_kept(page) == [SOMEBODY_ELSES]


def test_a_deleted_account_leaves_no_draft_in_the_browser(visit: Callable[..., Visitor], service: Service) -> None:
    page = written_by(visit(), service, "erased")
    page.get_by_role("button", name="Delete …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_label("Type “erased” to confirm").fill("erased")
    dialog.get_by_role("button", name="Delete my account").click()
    see(page, "Welcome back")
    assert words_kept(page) == [SOMEBODY_ELSES]


def test_a_tab_never_acts_for_whoever_signed_in_in_another(visit: Callable[..., Visitor], service: Service) -> None:
    registered(service, "before")
    token = registered(service, "after")
    visitor = visit().signed_in("before")
    first = visitor.open("/practice")
    first.get_by_label("Databases").check()
    second = visitor.context.new_page()
    second.goto("/account")
    second.get_by_role("button", name="Sign out").click()
    second.get_by_label("Username or email").fill("after")
    second.get_by_label("Password").fill(PASSWORD)
    second.get_by_role("button", name="Sign in").click()
    see(second, "Nothing measured yet")
    with first.expect_event("load"):
        first.get_by_role("button", name="Start", exact=True).click()
    visitor.drawn()
    assert service.call("GET", "/api/sessions", token=token).json["sessions"] == []
    first.get_by_role("link", name="Account", exact=True).click()
    expect(first.get_by_role("heading", name="after")).to_be_visible()


def test_an_address_that_cannot_be_decoded_is_no_page(visit: Callable[..., Visitor]) -> None:
    visitor = visit().signed_in("grace")
    visitor.page.goto("/topics/%E0%A4%A")
    see(visitor.page, "There is no such page")
    assert visitor.said == []


def looked_at(visitor: Visitor, path: str) -> list[str]:
    """What is wrong with the page: by axe in both lights, by its width at the narrowest, by the console."""
    page = visitor.open(path)
    found = visitor.violations()
    page.emulate_media(color_scheme="dark")
    found += [f"dark: {one}" for one in visitor.violations(only=("color-contrast",))]
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": NARROWEST[0], "height": NARROWEST[1]})
    if visitor.overflow() > 0:
        found.append(f"{visitor.overflow()} px too wide at {NARROWEST[0]} px")
    found += [f"narrow: {one}" for one in visitor.violations(only=("target-size", "scrollable-region-focusable"))]
    page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
    return [f"{path}: {one}" for one in (*found, *visitor.said)]


def test_axe_finds_nothing_and_no_page_scrolls_sideways(visit: Callable[..., Visitor], service: Service) -> None:
    outside, learner, admin = visit(), visit().signed_in("grace"), visit().signed_in("root")
    grace = users(service, "grace")[0]["id"]
    found = [*looked_at(outside, "/sign-in"), *looked_at(outside, "/sign-up")]
    for path in LEARNERS_PAGES:
        found += looked_at(learner, path)
    session = learner.open("/history").locator(".session a").first.get_attribute("href")
    found += looked_at(learner, str(session))
    for path in (*ADMINS_PAGES, f"/admin/users/{grace}"):
        found += looked_at(admin, path)
    assert "\n".join(found) == ""


def test_axe_finds_nothing_in_a_round_and_in_dialogs(visit: Callable[..., Visitor], service: Service) -> None:
    visitor = visit(NARROWEST)
    started(visitor, service, "examined")
    page = visitor.page
    found = visitor.violations()
    visitor.answer(ANSWER)
    page.locator(".change summary").click()
    found += visitor.violations()
    widths = [visitor.overflow()]
    page.get_by_role("button", name="End session").click()
    found += visitor.violations()
    page.get_by_role("button", name="End the session").click()
    see(page, "Session summary")
    page.locator(".twin summary").first.click()
    page.locator(".past summary").first.click()
    found += visitor.violations()
    widths.append(visitor.overflow())
    visitor.open("/practice").get_by_role("button", name="Start debugging").click()
    page.wait_for_selector("#answer")
    found += visitor.violations()
    visitor.answer(ANSWER)
    found += visitor.violations()
    widths.append(visitor.overflow())
    assert ("\n".join(found), widths) == ("", [0, 0, 0])
    assert visitor.said == []


def test_every_chart_has_a_table(visit: Callable[..., Visitor]) -> None:
    visitor = visit().signed_in("grace")
    for path in ("/progress", "/topics/dbms"):
        page = visitor.open(path)
        charts = page.locator("figure").count()
        assert charts == page.locator("main [role=img]").count() > 0
        for number in range(charts):
            figure = page.locator("figure").nth(number)
            figure.locator(".twin summary").click()
            expect(figure.locator("tbody tr").nth(11)).to_be_attached()


def percent(value: float) -> str:
    """As the pages round it."""
    return f"{math.floor(value * 100 + 0.5)}%"


def rows_of(page: Page, caption: str) -> list[list[str]]:
    """The cells of the table with that caption; its chart's twin is opened by the keyboard."""
    twin = page.locator("figure", has=page.get_by_text(caption, exact=True)).locator("summary")
    twin.press("Enter")
    rows = page.get_by_role("region", name=caption).locator("tbody tr")
    rows.first.wait_for()
    return [rows.nth(number).locator("th, td").all_inner_texts() for number in range(rows.count())]


def test_a_topic_shows_how_it_will_be_forgotten_and_how_true_forecasts_were(
    visit: Callable[..., Visitor], service: Service
) -> None:
    token = token_of(service, "grace")
    outlook = service.call("GET", "/api/adaptive/mastery/oop/forecast", token=token).json
    mastery = service.call("GET", "/api/adaptive/mastery/oop", token=token).json["mastery"]
    visitor = visit().signed_in("grace")
    page = visitor.open("/topics/oop")
    ahead = page.locator("section", has=page.get_by_role("heading", name="Looking ahead"))
    low = next((point["days"] for point in outlook["forgetting"] if point["recall"] < 0.7), None)
    assert ahead.locator("dd").all_inner_texts() == [
        percent(mastery["expected_score"]),
        percent(mastery["confidence"]),
        mastery["recommended_difficulty"].capitalize(),
        "Not within 90 days" if low is None else f"Within {low} days" if low else "Already",
    ]
    curve = rows_of(page, "Chance of success without practice")
    assert curve == [[str(point["days"]), percent(point["recall"])] for point in outlook["forgetting"]]
    truth = [row[1:] for row in rows_of(page, "Forecast and outcome of each answer")]
    shown = outlook["answers"][:-31:-1]
    assert truth == [[percent(one["happened"]), percent(one["foretold"])] for one in shown]
    assert visitor.said == []


def test_concepts_that_are_due_for_review_come_first(visit: Callable[..., Visitor], service: Service) -> None:
    """What was known and has faded below 0.7, what is remembered least first; `waiting` is another matter."""
    token = token_of(service, "grace")
    concepts = service.call("GET", "/api/adaptive/mastery/oop", token=token).json["concepts"]
    reviews = service.call("GET", "/api/user/review?limit=100", token=token).json["reviews"]
    due = [one["concept"] for one in reviews if one["topic"] == "oop"]
    assert 0 < len(due) < len(concepts)
    page = visit().signed_in("grace").open("/topics/oop")
    assert page.locator(".tile h3").all_inner_texts()[: len(due)] == due
    page.get_by_role("button", name=f"Due {len(due)}", exact=True).press("Enter")
    assert page.locator(".tile:visible h3").all_inner_texts() == due
    foretold = concepts[due[0]]["forecast"]
    low, high = foretold["interval"]
    told = page.locator(".tile").first.inner_text()
    assert f"Expected {percent(foretold['recall_now'])} now, {percent(foretold['probability'])} fresh" in told
    assert f"({percent(low)}–{percent(high)})" in told
    assert "review due now" in told


def test_progress_names_what_is_due_and_a_way_to_practise_it(visit: Callable[..., Visitor], service: Service) -> None:
    reviews = service.call("GET", "/api/user/review?limit=100", token=token_of(service, "grace")).json["reviews"]
    due = [one for one in reviews if one["topic"] == "oop"]
    visitor = visit().signed_in("grace")
    page = visitor.open("/progress")
    line = page.locator("section", has=page.get_by_role("heading", name="Due for review")).locator("li", has_text="Obj")
    see(page, f"{due[0]['concept']}: {percent(due[0]['recall_now'])} expected now, and {len(due) - 1} more")
    page.route("**/api/adaptive/sessions", lambda route: route.abort())
    with page.expect_request("**/api/adaptive/sessions") as asked:
        line.get_by_role("button", name="Review Object-oriented programming").press("Enter")
    assert asked.value.post_data_json == {"topics": ["oop"], "max_questions": 5, "selection": "forecast"}


def test_where_nothing_is_foretold_or_due_the_pages_say_so(visit: Callable[..., Visitor], service: Service) -> None:
    token = registered(service, "beginner")
    seen = {"topic": "dbms", "concepts": ["Deadlock"], "semantic_score": 0.5, "keyword_score": 0.5}
    assert service.call("POST", "/api/adaptive/observations", seen, token=token).status == 201
    learner, admin = visit().signed_in("beginner"), visit().signed_in("root")
    page = learner.open("/progress")
    see(page, "Nothing is due now.")
    learner.open("/topics/dbms")
    see(page, "First guess:")
    expect(page.get_by_role("heading", name="Forecast and outcome")).to_have_count(0)
    page.route("**/forecast", lambda route: route.fulfill(json={"forgetting": [], "answers": []}))
    learner.open("/topics/dbms")
    see(page, "No forecast yet")
    admin.page.route("**/api/admin/calibration", lambda route: route.fulfill(json={"topics": []}))
    admin.open("/admin/forecasts")
    see(admin.page, "No figures yet")
    assert learner.violations() == admin.violations() == learner.said == admin.said == []


def test_a_session_may_ask_by_forecast(visit: Callable[..., Visitor], service: Service) -> None:
    registered(service, "chooser")
    page = visit().signed_in("chooser").open("/practice")
    page.get_by_label("Ask what is likely unknown").check()
    with page.expect_response("**/api/adaptive/sessions") as started:
        page.get_by_role("button", name="Start", exact=True).click()
    assert started.value.request.post_data_json["selection"] == "forecast"
    assert started.value.status == 201


def test_administrators_see_how_true_forecasts_are_and_which_questions_to_look_at(
    visit: Callable[..., Visitor], service: Service
) -> None:
    topics = service.call("GET", "/api/admin/calibration", token=token_of(service, "root")).json["topics"]
    [oop] = [one for one in topics if one["topic"] == "oop"]
    visitor = visit().signed_in("root")
    page = visitor.open("/admin/forecasts")
    assert page.locator("figure").count() == page.locator("main [role=img]").count() == len(topics)
    title = "Object-oriented programming"
    assert rows_of(page, f"Foretold and happened in {title}") == [
        [percent(one["foretold"]), percent(one["happened"]), f"{one['count']:,}"] for one in oop["reliability"]
    ]
    rows = page.get_by_role("region", name=f"Questions to look at in {title}").locator("tbody tr")
    shown = rows.locator("th").all_inner_texts()
    dullest = sorted(oop["questions"], key=lambda one: one["discrimination"])[:5]
    strangest = sorted(oop["questions"], key=lambda one: -abs(one["difficulty"]))[:5]
    assert set(shown) == {one["id"] for one in (*dullest, *strangest)}
    chance = percent(1 / (1 + math.exp(dullest[0]["difficulty"])))
    assert rows.first.locator("td").first.inner_text().startswith(f"{chance} (")
    assert rows.first.locator("td").last.inner_text() == f"{dullest[0]['discrimination']:.2f}"
    assert visitor.said == []


def test_times_are_those_of_the_readers_zone(visit: Callable[..., Visitor]) -> None:
    zones = {}
    for zone in ("Asia/Tokyo", "America/New_York"):
        page = visit(timezone_id=zone, locale="en-GB").signed_in("grace").open("/history")
        zones[zone] = page.locator(".session time").first.inner_text()
    assert zones["Asia/Tokyo"] != zones["America/New_York"]


def test_a_long_past_is_drawn_within_a_second(visit: Callable[..., Visitor]) -> None:
    """The best of three navigations: the machine of the tests has other work, too."""
    visitor = visit().signed_in("grace")
    drawn = []
    for _ in range(3):
        page = visitor.open("/progress")
        drawn.append(page.evaluate("performance.getEntriesByName('gradus.drawn')[0].startTime"))
    assert page.locator("article.card").count() == len(TOPICS)
    assert page.locator(".figures dd").first.inner_text().startswith(f"{len(TOPICS) * ANSWERS:,}")
    assert min(drawn) < BUDGET_MS, drawn
    visitor.open("/topics/dbms")
    assert page.locator(".tile").count() == CONCEPTS


def test_without_the_service_the_page_says_so_and_recovers(visit: Callable[..., Visitor]) -> None:
    visitor = visit().signed_in("grace")
    page = visitor.open("/progress")
    visitor.context.set_offline(True)
    page.get_by_role("link", name="History").click()
    see(page, "You are offline")
    visitor.context.set_offline(False)
    see(page, "Times are those of your own zone.")


def test_the_theme_is_remembered(visit: Callable[..., Visitor]) -> None:
    visitor = visit(color_scheme="light").signed_in("grace")
    page = visitor.open("/account")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_label("Dark").check()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.reload()
    visitor.drawn()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark != light


def pictures(visit: Callable[..., Visitor], service: Service, folder: Path) -> None:
    """Take every picture of docs/pages.md into that folder."""
    for size, name in ((DESKTOP, "desktop"), (PHONE, "phone")):
        for light in ("light", "dark"):
            visitor = visit(size, color_scheme=light, reduced_motion="reduce").signed_in("grace")
            for path, shown in (("/progress", "progress"), ("/topics/dbms", "topic")):
                taken(visitor.open(path), folder / f"{shown}-{name}-{light}.png")
    visitor = visit(color_scheme="light", reduced_motion="reduce").signed_in("grace")
    visitor.open("/topics/oop").get_by_role("heading", name="Looking ahead").evaluate("one => one.scrollIntoView()")
    taken(visitor.page, folder / "ahead-desktop-light.png")
    visitor = visit(PHONE, color_scheme="light", reduced_motion="reduce")
    started(visitor, service, "pictured")
    taken(visitor.page, folder / "question-phone-light.png")
    visitor.answer(ANSWER)
    taken(visitor.page, folder / "result-phone-light.png")
    visitor = visit(color_scheme="dark", reduced_motion="reduce").signed_in("pictured")
    visitor.open("/practice").get_by_role("button", name="Start debugging").click()
    visitor.page.wait_for_selector("#answer")
    taken(visitor.page, folder / "debugging-desktop-dark.png")
    visitor = visit(color_scheme="light", reduced_motion="reduce").signed_in("root")
    taken(visitor.open("/admin/statistics"), folder / "statistics-desktop-light.png")
    visitor = visit(color_scheme="dark", reduced_motion="reduce").signed_in("root")
    taken(visitor.open("/admin/forecasts"), folder / "forecasts-desktop-dark.png")


def taken(page: Page, path: Path) -> None:
    """A picture in 64 colours: a quarter of the size, and the eye sees no difference."""
    page.wait_for_function("document.fonts.status === 'loaded'")
    page.screenshot(path=path)
    with Image.open(path) as picture:
        fewer = picture.convert("RGB").quantize(64, dither=Image.Dither.NONE)
    fewer.save(path, optimize=True)


def test_the_document_shows_every_picture_and_no_other() -> None:
    linked = re.findall(r"\]\(pages/([\w-]+\.png)\)", (ROOT / "docs" / "pages.md").read_text(encoding="utf-8"))
    assert set(linked) == {path.name for path in SHOWN.glob("*.png")}


def test_the_documents_pictures_are_those_of_this_test(
    visit: Callable[..., Visitor], service: Service, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """With PICTURES=1 they are written anew; `make soak` takes the same ones, and throws them away."""
    if not (os.environ.get("PICTURES") or request.config.getoption("--pictures")):
        pytest.skip("PICTURES=1 takes the pictures, and `make soak` tries to")
    folder = SHOWN if os.environ.get("PICTURES") else tmp_path
    folder.mkdir(exist_ok=True)
    pictures(visit, service, folder)
    names = {path.name for path in folder.glob("*.png")}
    assert names == {path.name for path in SHOWN.glob("*.png")}
    for name in names:
        with Image.open(SHOWN / name) as shown, Image.open(folder / name) as fresh:
            assert shown.size == fresh.size
