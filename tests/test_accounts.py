"""Accounts: who may sign in, and how long a login lasts."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import func, select

from accounts import Accounts, Grant, LoginEnded, WrongCredentials
from models import TokenFamily, User, db
from store import SignedIn, Store, Taken
from tests.conftest import PASSWORD
from tests.fakes import Clock

LIFETIME = timedelta(days=30)
OVER = r"^This login is over\. Please sign in again\.$"
WRONG = r"^Login and password do not belong together\.$"


@pytest.fixture
def accounts(clock: Clock) -> Accounts:
    return Accounts(store=Store(), clock=clock, refresh_lifetime=LIFETIME)


def register(accounts: Accounts, username: str = "Ada", email: str = "Ada@Example.com") -> Grant:
    return accounts.register(username=username, email=email, password=PASSWORD)


def refresh(accounts: Accounts, grant: Grant, jti: str | None = None) -> Grant:
    """Spend the grant's refresh token, or another one of its login."""
    return accounts.refresh(user_id=grant.user.id, family_id=grant.family_id, jti=jti or grant.refresh_jti)


def how_many_users() -> int:
    return db.session.scalar(select(func.count()).select_from(User)) or 0


# Registration


def test_a_new_account_is_a_learner_and_signed_in(any_app: Flask, accounts: Accounts, clock: Clock) -> None:
    with any_app.app_context():
        grant = register(accounts)
    with any_app.app_context():
        user = Store().user(grant.user.id)
        assert (user.username, user.email, user.role) == ("Ada", "ada@example.com", "learner")
        assert user.created_at == clock.now
        assert Store().signed_in(user.id, grant.family_id, now=clock.now) == SignedIn(user.id, "learner")


def test_the_password_is_kept_as_an_argon2_hash_only(any_app: Flask, accounts: Accounts) -> None:
    with any_app.app_context():
        user_id = register(accounts).user.id
    with any_app.app_context():
        user = Store().user(user_id)
        assert user.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert PasswordHasher().verify(user.password_hash, PASSWORD)
        kept = [str(getattr(user, column.key)) for column in User.__mapper__.column_attrs]
        assert not [value for value in kept if PASSWORD in value]


def test_two_accounts_with_one_password_have_different_hashes(any_app: Flask, accounts: Accounts) -> None:
    with any_app.app_context():
        first, second = register(accounts), register(accounts, "Bob", "bob@example.com")
        assert first.user.password_hash != second.user.password_hash


@pytest.mark.parametrize("username", ["Ada", "ADA", "ada", "Ａda"])
def test_a_username_is_taken_in_any_case_and_width(any_app: Flask, accounts: Accounts, username: str) -> None:
    with any_app.app_context():
        register(accounts)
        with pytest.raises(Taken, match=r"^This username is already taken\.$") as taken:
            register(accounts, username, "other@example.com")
        assert taken.value.field == "username"
    with any_app.app_context():
        assert how_many_users() == 1


@pytest.mark.parametrize("email", ["Ada@Example.com", "ada@example.com", "ADA@EXAMPLE.COM"])
def test_an_email_is_taken_in_any_case(any_app: Flask, accounts: Accounts, email: str) -> None:
    with any_app.app_context():
        register(accounts)
        with pytest.raises(Taken, match=r"^This email is already taken\.$") as taken:
            register(accounts, "Bob", email)
        assert taken.value.field == "email"
    with any_app.app_context():
        assert how_many_users() == 1


def test_of_registrations_that_race_for_a_name_one_wins(any_app: Flask, accounts: Accounts) -> None:
    barrier = threading.Barrier(4)

    def run(number: int) -> str:
        with any_app.app_context():
            barrier.wait()
            try:
                return register(accounts, "Ada", f"ada-{number}@example.com").user.username
            except Taken as taken:
                return f"{taken.field} taken"

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(run, range(4)))
    assert sorted(results) == ["Ada", "username taken", "username taken", "username taken"]


# Signing in


@pytest.mark.parametrize("login", ["Ada", "ADA", " ada ", "Ada@Example.com", "ada@EXAMPLE.com"])
def test_username_and_email_both_sign_in(any_app: Flask, accounts: Accounts, login: str) -> None:
    with any_app.app_context():
        registered = register(accounts)
        register(accounts, "Bob", "bob@example.com")
        grant = accounts.login(login=login, password=PASSWORD)
        assert grant.user.id == registered.user.id
        assert grant.family_id != registered.family_id
        assert grant.refresh_jti != registered.refresh_jti


def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(any_app: Flask, accounts: Accounts) -> None:
    with any_app.app_context():
        register(accounts)
        with pytest.raises(WrongCredentials, match=WRONG):
            accounts.login(login="Ada", password=PASSWORD + "!")
        with pytest.raises(WrongCredentials, match=WRONG):
            accounts.login(login="nobody", password=PASSWORD)
        with pytest.raises(WrongCredentials, match=WRONG):
            accounts.login(login="Ada", password=PASSWORD.upper())
        assert db.session.scalar(select(func.count()).select_from(TokenFamily)) == 1


def test_an_unknown_user_costs_a_password_check_too(
    app: Flask, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    verify = PasswordHasher.verify

    def counting(hasher: PasswordHasher, password_hash: str, password: str) -> bool:
        checked.append(password_hash)
        return verify(hasher, password_hash, password)

    monkeypatch.setattr(PasswordHasher, "verify", counting)
    with app.app_context(), pytest.raises(WrongCredentials, match=WRONG):
        accounts.login(login="nobody", password=PASSWORD)
    assert [password_hash.split("$")[3] for password_hash in checked] == ["m=19456,t=2,p=1"]


# Refreshing


def test_a_refresh_gives_the_next_token_of_the_same_login(any_app: Flask, accounts: Accounts) -> None:
    with any_app.app_context():
        first = register(accounts)
        second = refresh(accounts, first)
        third = refresh(accounts, second)
    assert (first.family_id, first.user.id) == (second.family_id, second.user.id) == (third.family_id, third.user.id)
    assert len({first.refresh_jti, second.refresh_jti, third.refresh_jti}) == 3


@pytest.mark.parametrize("seconds", [0, 10])
def test_a_retry_within_ten_seconds_gets_the_token_that_was_lost(
    any_app: Flask, accounts: Accounts, clock: Clock, seconds: float
) -> None:
    with any_app.app_context():
        first = register(accounts)
        second = refresh(accounts, first)
        clock.advance(seconds)
        assert refresh(accounts, first).refresh_jti == second.refresh_jti
        refresh(accounts, second)


def test_a_spent_token_after_the_grace_ends_the_login_for_its_successors_too(
    any_app: Flask, accounts: Accounts, clock: Clock
) -> None:
    with any_app.app_context():
        first = register(accounts)
        second = refresh(accounts, first)
        clock.advance(10.001)
        with pytest.raises(LoginEnded, match=OVER):
            refresh(accounts, first)
        with pytest.raises(LoginEnded, match=OVER):
            refresh(accounts, second)
        assert Store().signed_in(first.user.id, first.family_id, now=clock.now) is None


def test_a_retry_does_not_lengthen_its_own_grace(any_app: Flask, accounts: Accounts, clock: Clock) -> None:
    with any_app.app_context():
        first = register(accounts)
        refresh(accounts, first)
        clock.advance(8)
        refresh(accounts, first)
        clock.advance(8)
        with pytest.raises(LoginEnded, match=OVER):
            refresh(accounts, first)


def test_the_token_before_the_last_has_no_grace(any_app: Flask, accounts: Accounts) -> None:
    with any_app.app_context():
        first = register(accounts)
        third = refresh(accounts, refresh(accounts, first))
        with pytest.raises(LoginEnded, match=OVER):
            refresh(accounts, first)
        with pytest.raises(LoginEnded, match=OVER):
            refresh(accounts, third)


def test_a_made_up_token_ends_the_login(any_app: Flask, accounts: Accounts) -> None:
    with any_app.app_context():
        grant = register(accounts)
        with pytest.raises(LoginEnded, match=OVER):
            refresh(accounts, grant, jti=str(uuid.uuid4()))
        with pytest.raises(LoginEnded, match=OVER):
            refresh(accounts, grant)


def test_ending_one_login_leaves_the_others(any_app: Flask, accounts: Accounts, clock: Clock) -> None:
    with any_app.app_context():
        phone = register(accounts)
        laptop = accounts.login(login="Ada", password=PASSWORD)
        refresh(accounts, phone)
        clock.advance(11)
        with pytest.raises(LoginEnded):
            refresh(accounts, phone)
        assert refresh(accounts, laptop).family_id == laptop.family_id


def test_a_login_that_was_not_used_for_its_lifetime_is_over(any_app: Flask, accounts: Accounts, clock: Clock) -> None:
    with any_app.app_context():
        grant = register(accounts)
        clock.advance(LIFETIME.total_seconds() - 1)
        assert Store().signed_in(grant.user.id, grant.family_id, now=clock.now)
        clock.advance(1)
        assert Store().signed_in(grant.user.id, grant.family_id, now=clock.now) is None
        with pytest.raises(LoginEnded, match=OVER):
            refresh(accounts, grant)


def test_a_refresh_lengthens_the_login(any_app: Flask, accounts: Accounts, clock: Clock) -> None:
    with any_app.app_context():
        grant = register(accounts)
        clock.advance(LIFETIME.total_seconds() - 1)
        grant = refresh(accounts, grant)
        clock.advance(LIFETIME.total_seconds() - 1)
        assert refresh(accounts, grant).family_id == grant.family_id


def test_a_login_that_does_not_exist_is_over(any_app: Flask, accounts: Accounts) -> None:
    with any_app.app_context():
        grant = register(accounts)
        with pytest.raises(LoginEnded, match=OVER):
            accounts.refresh(user_id=grant.user.id, family_id="0" * 32, jti=grant.refresh_jti)


def test_another_learners_login_cannot_be_refreshed_or_ended(any_app: Flask, accounts: Accounts) -> None:
    with any_app.app_context():
        ada, bob = register(accounts), register(accounts, "Bob", "bob@example.com")
        with pytest.raises(LoginEnded, match=OVER):
            accounts.refresh(user_id=bob.user.id, family_id=ada.family_id, jti=ada.refresh_jti)
        accounts.logout(user_id=bob.user.id, family_id=ada.family_id)
        assert refresh(accounts, ada).family_id == ada.family_id


def test_refreshes_that_race_with_one_token_all_get_the_same_successor(any_app: Flask, accounts: Accounts) -> None:
    with any_app.app_context():
        first = register(accounts)
    barrier = threading.Barrier(8)

    def run(_: int) -> str:
        with any_app.app_context():
            Store().ping()  # connecting takes longer than refreshing, and would let the threads come one by one
            barrier.wait()
            return refresh(accounts, first).refresh_jti

    with ThreadPoolExecutor(8) as threads:
        successors = set(threads.map(run, range(8)))
    [successor] = successors
    assert successor != first.refresh_jti
    with any_app.app_context():
        assert refresh(accounts, first, jti=successor).family_id == first.family_id


# Signing out


def test_signing_out_ends_the_login(any_app: Flask, accounts: Accounts, clock: Clock) -> None:
    with any_app.app_context():
        grant = register(accounts)
        accounts.logout(user_id=grant.user.id, family_id=grant.family_id)
        assert Store().signed_in(grant.user.id, grant.family_id, now=clock.now) is None
        with pytest.raises(LoginEnded, match=OVER):
            refresh(accounts, grant)


def test_signing_out_twice_keeps_the_moment_of_the_first(any_app: Flask, accounts: Accounts, clock: Clock) -> None:
    with any_app.app_context():
        grant = register(accounts)
        ended_at = clock.now
        accounts.logout(user_id=grant.user.id, family_id=grant.family_id)
        clock.advance(60)
        accounts.logout(user_id=grant.user.id, family_id=grant.family_id)
    with any_app.app_context():
        assert db.session.get_one(TokenFamily, (grant.user.id, grant.family_id)).revoked_at == ended_at


# Administrators


def test_a_new_administrator_is_called_like_the_mailbox(any_app: Flask, accounts: Accounts) -> None:
    with any_app.app_context():
        user = accounts.create_admin(email="Grace.Hopper+navy@example.com", password=PASSWORD)[0]
        assert (user.username, user.email, user.role) == (
            "Grace.Hoppernavy",
            "grace.hopper+navy@example.com",
            "admin",
        )
        assert accounts.login(login="grace.hopper+navy@example.com", password=PASSWORD).user.id == user.id


@pytest.mark.parametrize("email", ["ada@other.example.com", "ADA@other.example.com"])
def test_a_new_administrator_whose_name_is_taken_gets_a_longer_one(
    any_app: Flask, accounts: Accounts, email: str
) -> None:
    with any_app.app_context():
        register(accounts)
        user = accounts.create_admin(email=email, password=PASSWORD)[0]
        name, _, tail = user.username.partition("-")
        assert name == email[:3]
        assert len(tail) == 12
        assert accounts.login(login=user.username, password=PASSWORD).user.role == "admin"


def test_a_mailbox_of_one_letter_gets_a_longer_name(any_app: Flask, accounts: Accounts) -> None:
    with any_app.app_context():
        user = accounts.create_admin(email="x@example.com", password=PASSWORD)[0]
        assert user.username.startswith("x-")
        assert len(user.username) == 14


def test_a_long_mailbox_gets_a_name_that_fits_although_it_is_taken(any_app: Flask, accounts: Accounts) -> None:
    mailbox = "a" * 64
    with any_app.app_context():
        first = accounts.create_admin(email=f"{mailbox}@example.com", password=PASSWORD)[0]
        second = accounts.create_admin(email=f"{mailbox}@other.example.com", password=PASSWORD)[0]
        assert (first.username, second.username[:49], len(second.username)) == (mailbox, "a" * 48 + "-", 61)
