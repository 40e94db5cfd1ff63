"""Accounts: registration, passwords, logins as families of tokens, and deletion."""

import re
import secrets
import unicodedata
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from models import AuditEvent, TokenFamily, User
from store import NotFound, Store

REFRESH_GRACE = timedelta(seconds=10)
"""A mobile client that lost the reply may present the refresh token it just spent once more within this time."""

CREATE_ADMIN_ACTION = "create_admin"
LONGEST_USERNAME = 64

MIN_PASSWORD, MAX_PASSWORD = 8, 128
"""Characters of a password; the upper bound keeps hashing cheap."""

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""OWASP's second choice of parameters: 33 ms here, where the library's default takes 239."""

DELETE_ACTION = "delete_account"

LOGIN_ENDED = "This login is over. Please sign in again."
WRONG_PASSWORD = "The password is wrong."  # noqa: S105 - said of a password, not one


class Role(StrEnum):
    """What an account may do."""

    LEARNER = "learner"
    ADMIN = "admin"


class RoleNeeded(PermissionError):
    """The account has not the role that this needs."""


class WrongCredentials(ValueError):
    """Login and password do not belong together; whether the login exists is not told."""


class WrongPassword(ValueError):
    """Somebody who is signed in does not know the password; no `WrongCredentials`, for their token is good."""


class LastAdministrator(RuntimeError):
    """Without this account there would be no administrator."""


class LoginEnded(ValueError):
    """The login behind a token is over: revoked, expired, or its refresh token was spent twice.

    It rises after the end was written down, which must stay written down.
    """

    keeps_effect = True


@dataclass(frozen=True, kw_only=True)
class Grant:
    """The right to a pair of tokens: for whom, from which login, and the id of its one valid refresh token."""

    user: User
    family_id: str
    refresh_jti: str


class Accounts:
    """Registers, signs in, refreshes, signs out, changes passwords and deletes. Store and clock are handed in.

    Passwords are hashed outside of transactions: nobody waits for a lock meanwhile.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Callable[[], datetime],
        refresh_lifetime: timedelta,
        hasher: PasswordHasher = HASHER,
    ) -> None:
        self._store = store
        self._clock = clock
        self._refresh_lifetime = refresh_lifetime
        self._hasher = hasher
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

    def create_admin(self, *, email: str, password: str) -> tuple[User, bool]:
        """An administrator with that email and password, and whether the account is a new one.

        An account that has the email already gets the role and the password, and all its logins end: whoever
        registered it need not be who the operator means.
        """
        password_hash = self._hasher.hash(password)
        with self._store.transaction():
            user = self._store.user_by_email(login_key(email))
            is_new = user is None
            if user is None:
                user = self._store.add_user(self._new_admin(email))
            user.role, user.password_hash = Role.ADMIN, password_hash
            self._store.revoke_other_families(user.id, "", at=self._clock())
            self._store.add_audit_event(
                AuditEvent(at=self._clock(), action=CREATE_ADMIN_ACTION, user_id=user.id, details={"new": is_new})
            )
        return user, is_new

    def _new_admin(self, email: str) -> User:
        """An account without a password yet, whose username is made from the email."""
        local = re.sub(r"[^\w.-]", "", email.partition("@")[0])[:LONGEST_USERNAME]
        if len(local) < 2 or self._store.user_by_login(login_key(local)) is not None:
            local = f"{local[:48]}-{uuid.uuid4().hex[:12]}"
        return User(
            username=local,
            username_key=login_key(local),
            email=login_key(email),
            password_hash="",
            role=Role.ADMIN,
            created_at=self._clock(),
        )

    def login(self, *, login: str, password: str) -> Grant:
        """Sign in by username or email. Raises `WrongCredentials`, after the same time for unknown users."""
        user = self._store.user_by_login(login_key(login))
        user_id, password_hash = (user.id, user.password_hash) if user else (None, self._nobody)
        self._store.release()
        if self._verify(password_hash, password) and user_id is not None:
            with self._store.transaction():
                account = self._locked(user_id, password_hash)
                if account is not None:
                    return self._new_login(account)
        raise WrongCredentials("Login and password do not belong together.")

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
            raise LoginEnded(LOGIN_ENDED)
        return grant

    def logout(self, *, user_id: int, family_id: str) -> None:
        """End a login and all its tokens."""
        with self._store.transaction():
            self._store.revoke_family(user_id, family_id, at=self._clock())

    def change_password(self, *, user_id: int, family_id: str, current_password: str, new_password: str) -> None:
        """A new password; every login of the account but this one ends. Raises `WrongPassword`."""
        checked = self._checked_hash(user_id, current_password)
        password_hash = self._hasher.hash(new_password)
        with self._store.transaction():
            account = self._locked(user_id, checked)
            if account is None:
                raise WrongPassword(WRONG_PASSWORD)
            account.password_hash = password_hash
            self._store.revoke_other_families(user_id, family_id, at=self._clock())

    def delete(self, *, user_id: int, password: str) -> None:
        """Delete the account and all that belongs to it; the audit log keeps a pseudonym.

        Raises `WrongPassword` and `LastAdministrator`; then nothing is deleted.
        """
        checked = self._checked_hash(user_id, password)
        with self._store.transaction():
            administrators = self._store.lock_users_of(Role.ADMIN, also=user_id)
            account = self._locked(user_id, checked)
            if account is None:
                raise WrongPassword(WRONG_PASSWORD)
            if administrators == [user_id]:
                raise LastAdministrator("You are the last administrator. Make somebody else one first.")
            self._erase(account, pseudonym=f"deleted-{secrets.token_hex(8)}")

    def _erase(self, account: User, *, pseudonym: str) -> None:
        self._store.pseudonymise(account, pseudonym)
        deleted = self._store.delete_account(account)
        self._store.add_audit_event(
            AuditEvent(
                at=self._clock(),
                action=DELETE_ACTION,
                actor_pseudonym=pseudonym,
                user_pseudonym=pseudonym,
                details={"deleted": deleted},
            )
        )

    def _checked_hash(self, user_id: int, password: str) -> str:
        """The account's hash, which the password belongs to; raises `WrongPassword`."""
        try:
            password_hash = self._store.user(user_id).password_hash
        except NotFound:
            raise LoginEnded(LOGIN_ENDED) from None
        self._store.release()
        if not self._verify(password_hash, password):
            raise WrongPassword(WRONG_PASSWORD)
        return password_hash

    def _locked(self, user_id: int, password_hash: str) -> User | None:
        """The account, locked; None if it has gone or got another password since its hash was read."""
        account = self._store.lock_account(user_id)
        return account if account is not None and account.password_hash == password_hash else None

    def _family(self, user_id: int, family_id: str) -> TokenFamily:
        try:
            return self._store.lock_family(user_id, family_id)
        except NotFound:
            raise LoginEnded(LOGIN_ENDED) from None

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
