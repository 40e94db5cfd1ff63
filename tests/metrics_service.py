"""The application with the encoder of tests, for gunicorn: its workers need no model."""

import os

from flask import Flask

from app import create_app as create
from tests.fakes import WordEncoder
from tests.installation import settings_for


def create_app() -> Flask:
    """The application over the database that the environment names."""
    return create(settings_for(os.environ["DATABASE_URL"]), encoder=WordEncoder(), has_commands=False)
