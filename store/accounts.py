"""The shelf of accounts and logins."""

from datetime import datetime

from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import IntegrityError

from models import TokenFamily, User
from store.transactions import Transactions, found


class Taken(ValueError):
    """A username or email is already in use; `field` says which."""

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(f"This {field} is already taken.")


class AccountShelf(Transactions):
    """Loads and saves accounts and logins."""

    def add_user(self, user: User) -> User:
        """Raises `Taken`."""
        session = self._session
        session.add(user)
        try:
            session.flush()
        except IntegrityError as error:
            raise Taken("email" if _is_about_email(error) else "username") from None
        return user

    def user(self, user_id: int) -> User:
        """Raises `NotFound`."""
        return found(self._session.get(User, user_id))

    def user_by_login(self, login: str) -> User | None:
        """The user of that username key or email."""
        return self._session.scalar(select(User).where(or_(User.username_key == login, User.email == login)))

    def user_by_email(self, email: str) -> User | None:
        """The user with that email."""
        return self._session.scalar(select(User).where(User.email == email))

    def count_accounts(self) -> int:
        """How many accounts there are."""
        return self._session.scalar(select(func.count()).select_from(User)) or 0

    def lock_account(self, user_id: int) -> User | None:
        """The account as it is now, held until the transaction ends; None where there is none."""
        return self._session.get(User, user_id, with_for_update={"key_share": True}, populate_existing=True)

    def add_family(self, family: TokenFamily) -> None:
        """A new login."""
        self._session.add(family)

    def lock_family(self, user_id: int, family_id: str) -> TokenFamily:
        """The login, held until the transaction ends; raises `NotFound`."""
        row = self._session.get(TokenFamily, (user_id, family_id), with_for_update=True, populate_existing=True)
        return found(row)

    def revoke_family(self, user_id: int, family_id: str, *, at: datetime) -> None:
        """End a login and every token that descends from it."""
        self._session.execute(
            update(TokenFamily)
            .where(TokenFamily.user_id == user_id, TokenFamily.id == family_id, TokenFamily.revoked_at.is_(None))
            .values(revoked_at=at)
        )

    def revoke_other_families(self, user_id: int, family_id: str, *, at: datetime) -> None:
        """End every login of an account but this one."""
        self._session.execute(
            update(TokenFamily)
            .where(TokenFamily.user_id == user_id, TokenFamily.id != family_id, TokenFamily.revoked_at.is_(None))
            .values(revoked_at=at)
        )


def _is_about_email(error: IntegrityError) -> bool:
    """PostgreSQL's driver names the constraint; SQLite says the column and nothing of the values."""
    diagnosis = getattr(error.orig, "diag", None)
    if diagnosis is not None:
        return bool(diagnosis.constraint_name == "uq_users_email")
    return "users.email" in str(error.orig)
