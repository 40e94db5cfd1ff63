"""The application under gunicorn without a model: what breaks around it is the matter, not what it scores."""

import os
from dataclasses import replace

from flask import Flask

from app import create_app as create
from database import PATIENCE_SECONDS
from tests.fakes import WordEncoder
from tests.installation import QUICK_HASHER, settings_for


def create_app() -> Flask:
    """The application over the database that the environment names, without limits."""
    patience = int(os.environ.get("DATABASE_TIMEOUT_SECONDS") or PATIENCE_SECONDS)
    settings = replace(settings_for(os.environ["DATABASE_URL"]), database_timeout=patience)
    return create(settings, encoder=WordEncoder(), hasher=QUICK_HASHER, has_commands=False)
