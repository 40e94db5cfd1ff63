"""Accounts: registration, passwords, and logins as families of tokens."""

import re
import unicodedata
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from models import TokenFamily, User
from store import NotFound, Store

REFRESH_GRACE = timedelta(seconds=10)
"""A mobile client that lost the reply may present the refresh token it just spent once more within this time."""

MIN_PASSWORD, MAX_PASSWORD = 8, 128
"""Characters of a password; the upper bound keeps hashing cheap."""


class Role(StrEnum):
    """What an account may do."""

    LEARNER = "learner"
    ADMIN = "admin"


class WrongCredentials(ValueError):
    """Login and password do not belong together; whether the login exists is not told."""


class LoginEnded(ValueError):
    """The login behind a token is over: revoked, expired, or its refresh token was spent twice."""


@dataclass(frozen=True, kw_only=True)
class Grant:
    """The right to a pair of tokens: for whom, from which login, and the id of its one valid refresh token."""

    user: User
    family_id: str
    refresh_jti: str


class Accounts:
    """Registers, signs in, refreshes and signs out. Store and clock are handed in."""

    def __init__(self, *, store: Store, clock: Callable[[], datetime], refresh_lifetime: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._refresh_lifetime = refresh_lifetime
        # OWASP's second choice of parameters: 33 ms here, where the library's default takes 239.
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._nobody = self._hasher.hash(uuid.uuid4().hex)

    def register(self, *, username: str, email: str, password: str, role: Role = Role.LEARNER) -> Grant:
        """A new account, signed in. Raises `Taken`."""
        password_hash = self._hasher.hash(password)
        with self._store.transaction():
            user = self._store.add_user(
                User(
                    username=username,
                    username_key=login_key(username),
                    email=login_key(email),
                    password_hash=password_hash,
                    role=role,
                    created_at=self._clock(),
                )
            )
            return self._new_login(user)

    def promote(self, email: str, role: Role) -> bool:
        """Give a role to the account with that email; false where there is none."""
        with self._store.transaction():
            user = self._store.user_by_login(login_key(email))
            if user is None or user.email != login_key(email):
                return False
            user.role = role
        return True

    def create_admin(self, *, email: str, password: str) -> User:
        """A new administrator, whose username is made from the email. Raises `Taken` for the email."""
        local = re.sub(r"[^\w.-]", "", email.partition("@")[0])
        for username in (local, f"{local[:48]}-{uuid.uuid4().hex[:12]}"):
            if len(username) > 1 and self._store.user_by_login(login_key(username)) is None:
                break
        return self.register(username=username, email=email, password=password, role=Role.ADMIN).user

    def login(self, *, login: str, password: str) -> Grant:
        """Sign in by username or email. Raises `WrongCredentials`, after the same time for unknown users."""
        user = self._store.user_by_login(login_key(login))
        password_hash = user.password_hash if user else self._nobody
        self._store.release()
        if not self._verify(password_hash, password) or user is None:
            raise WrongCredentials("Login and password do not belong together.")
        with self._store.transaction():
            return self._new_login(self._store.user(user.id))

    def refresh(self, *, user_id: int, family_id: str, jti: str) -> Grant:
        """The next pair of a login. A refresh token that was spent before ends the login; raises `LoginEnded`."""
        now = self._clock()
        with self._store.transaction():
            family = self._family(user_id, family_id)
            ended = family.revoked_at is not None or family.expires_at <= now
            reused = not ended and not self._rotate(family, jti, now=now)
            if reused:
                family.revoked_at = now
            grant = Grant(user=self._store.user(user_id), family_id=family_id, refresh_jti=family.current_jti)
        if ended or reused:
            raise LoginEnded("This login is over. Please sign in again.")
        return grant

    def logout(self, *, user_id: int, family_id: str) -> None:
        """End a login and all its tokens."""
        with self._store.transaction():
            self._store.revoke_family(user_id, family_id, at=self._clock())

    def _family(self, user_id: int, family_id: str) -> TokenFamily:
        try:
            return self._store.lock_family(user_id, family_id)
        except NotFound:
            raise LoginEnded("This login is over. Please sign in again.") from None

    def _rotate(self, family: TokenFamily, jti: str, *, now: datetime) -> bool:
        """Step to the next refresh token; false where `jti` is neither the valid one nor its racing retry."""
        if jti == family.current_jti:
            family.previous_jti, family.current_jti = jti, str(uuid.uuid4())
            family.rotated_at = now
            family.expires_at = now + self._refresh_lifetime
            return True
        return jti == family.previous_jti and now - family.rotated_at <= REFRESH_GRACE

    def _new_login(self, user: User) -> Grant:
        now = self._clock()
        family = TokenFamily(
            user_id=user.id,
            id=uuid.uuid4().hex,
            current_jti=str(uuid.uuid4()),
            rotated_at=now,
            created_at=now,
            expires_at=now + self._refresh_lifetime,
        )
        self._store.add_family(family)
        return Grant(user=user, family_id=family.id, refresh_jti=family.current_jti)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except VerificationError:
            return False


def login_key(name: str) -> str:
    """A username or email as it is compared: compatible letters, lower case."""
    return unicodedata.normalize("NFKC", name).strip().casefold()
