"""The application under gunicorn without a model: what breaks around it is the matter, not what it scores."""

import os

from flask import Flask

from app import create_app as create
from tests.conftest import QUICK_HASHER, settings_for
from tests.fakes import WordEncoder


def create_app() -> Flask:
    """The application over the database that the environment names, without limits."""
    return create(settings_for(os.environ["DATABASE_URL"]), encoder=WordEncoder(), hasher=QUICK_HASHER)
