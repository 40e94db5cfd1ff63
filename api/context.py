"""What the views work with: the services that the application was wired with, and who is asking."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from flask import current_app, g

from accounts import Accounts
from adaptive_controller import AdaptiveInterviewController
from administration import Administration
from authoring import Authoring
from config import Settings
from debugging import DebuggingController
from embeddings import ModelEncoder
from mastery import MasteryPolicy
from metrics import Metrics
from observations import Observer
from reviews import Reviews
from scoring import Scorer
from store import SignedIn, Store

EXTENSION = "gradus"


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything that a request may need, made once per process."""

    settings: Settings
    store: Store
    accounts: Accounts
    administration: Administration
    authoring: Authoring
    controller: AdaptiveInterviewController
    observer: Observer
    debugging: DebuggingController
    reviews: Reviews
    scorer: Scorer
    encoder: ModelEncoder
    metrics: Metrics
    policy: MasteryPolicy
    clock: Callable[[], datetime]


def services() -> Services:
    """The services of the running application."""
    found: Services = current_app.extensions[EXTENSION]
    return found


def learner() -> SignedIn:
    """The account behind the request's access token, with the role that it has now."""
    found: SignedIn = g.learner
    return found


def storable(topic: str) -> str:
    """The topic as it can be looked for: PostgreSQL takes no NUL in a text, and no topic has one."""
    return "" if "\x00" in topic else topic
