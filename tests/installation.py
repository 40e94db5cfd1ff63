"""What an installation of the tests is set to. It brings no pytest: services that tests start many times import it."""

from datetime import timedelta

from argon2 import PasswordHasher

from config import Settings
from mastery import REFERENCE, MasteryPolicy

QUICK_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Tests sign up thousands of times; what the real parameters are is a test of its own."""


def settings_for(
    database_url: str, policy: MasteryPolicy = REFERENCE, *, limited: bool = False, metrics_token: str = ""
) -> Settings:
    """Settings of a test: everything but the database is as an installation has it."""
    return Settings(
        database_url=database_url,
        jwt_secret_key="a secret of tests that is longer than thirty-two bytes",
        access_token_lifetime=timedelta(minutes=15),
        refresh_token_lifetime=timedelta(days=30),
        embedding_backend="torch",
        embedding_model="all-MiniLM-L6-v2",
        policy=policy,
        cors_origins=(),
        production=False,
        rate_limits_enabled=limited,
        metrics_token=metrics_token,
    )
