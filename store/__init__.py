"""Store: everything that is kept, behind the words of the product."""

from store.accounts import AccountShelf, Taken
from store.answers import AnswerShelf, SessionSeen, Standing
from store.bank import IMPORTED, BankShelf, checksum
from store.challenges import ChallengeShelf
from store.counts import CountShelf, LevelCount, MissedConcept
from store.deletions import DeletionShelf
from store.exports import ExportShelf
from store.forecasts import ForecastShelf
from store.practice import DEBUGGING, PracticeShelf, SessionPage
from store.reads import ReadShelf, Shown, SignedIn
from store.replays import LoggedAnswer, ReplayShelf
from store.reports import AuditEntry, Page, Place, ReportShelf
from store.retries import AlreadyDone, KeptReply, KeyReused, RetryKey, RetryShelf, StillRunning, UnusableKey
from store.sweeps import SweepShelf
from store.transactions import NotFound, utc_now


class Store(
    AccountShelf,
    PracticeShelf,
    AnswerShelf,
    ChallengeShelf,
    BankShelf,
    RetryShelf,
    SweepShelf,
    CountShelf,
    DeletionShelf,
    ExportShelf,
    ReportShelf,
    ReadShelf,
    ReplayShelf,
    ForecastShelf,
):
    """Loads and saves, one shelf for each area."""


__all__ = [
    "DEBUGGING",
    "IMPORTED",
    "AlreadyDone",
    "AuditEntry",
    "KeptReply",
    "KeyReused",
    "LevelCount",
    "LoggedAnswer",
    "MissedConcept",
    "NotFound",
    "Page",
    "Place",
    "RetryKey",
    "SessionPage",
    "SessionSeen",
    "Shown",
    "SignedIn",
    "Standing",
    "StillRunning",
    "Store",
    "Taken",
    "UnusableKey",
    "checksum",
    "utc_now",
]
