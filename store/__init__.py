"""Store: everything that is kept, behind the words of the product."""

from store.accounts import AccountShelf, Taken
from store.bank import BankShelf, checksum
from store.practice import PracticeShelf, SessionPage
from store.transactions import NotFound, utc_now


class Store(AccountShelf, PracticeShelf, BankShelf):
    """Loads and saves, one shelf for each area."""


__all__ = ["NotFound", "SessionPage", "Store", "Taken", "checksum", "utc_now"]
