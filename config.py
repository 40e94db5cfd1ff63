"""Settings, read from the environment (or `.env`)."""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import click

from database import PATIENCE_SECONDS
from embeddings import BACKENDS, PACKAGED_MODEL, REMOTE, TIMEOUT_SECONDS, WAITING
from mastery import MasteryPolicy, UnknownPolicy, policy_named

ROOT = Path(__file__).resolve().parent
MIN_SECRET_BYTES = 32
ENVIRONMENTS = ("development", "production")
MAX_ACCESS_MINUTES = 1440
MAX_REFRESH_DAYS = 3650
MAX_PORT = 65535
MAX_WORKERS = 256
MAX_PROXIES = 10
MAX_WAITING = 10_000
MAX_TIMEOUT_SECONDS = 300
SELECTIONS = ("documented", "forecast")
YES = ("true", "1", "yes", "on")
URL_EXPECTED = "must be an address such as http://model-server:7997/v1, to which /embeddings is appended"
NO = ("false", "0", "no", "off")


class ConfigurationError(click.ClickException):
    """The service cannot start with these settings; the message says which one and why."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that an installation may choose. `.env.example` explains each."""

    database_url: str
    database_timeout: int = PATIENCE_SECONDS
    jwt_secret_key: str
    access_token_lifetime: timedelta
    refresh_token_lifetime: timedelta
    embedding_backend: str
    embedding_model: str
    embedding_cache: Path | None = None
    embedding_threads: int = 1
    embedding_waiting: int = WAITING
    embedding_url: str = ""
    embedding_api_key: str = ""
    embedding_timeout: int = TIMEOUT_SECONDS
    policy: MasteryPolicy
    selection: str = SELECTIONS[0]
    cors_origins: tuple[str, ...]
    production: bool
    redis_url: str = ""
    rate_limits_enabled: bool = True
    trusted_proxies: int = 0
    metrics_token: str = ""

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is the embedded one."""
        return self.database_url.startswith("sqlite")


def load_settings(environment: Mapping[str, str] = os.environ, *, instance: Path = ROOT / "instance") -> Settings:
    """The settings of an environment; `instance` holds what the service makes for itself.

    Raises `ConfigurationError` for a value that cannot be used.
    """
    production = _is_production(environment.get("GRADUS_ENV", ""), environment.get("FLASK_ENV", ""))
    backend = _backend(environment.get("EMBEDDING_BACKEND") or BACKENDS[0])
    _whole(environment, "PORT", 5000, MAX_PORT)
    return Settings(
        database_url=_database_url(environment.get("DATABASE_URL", ""), instance),
        database_timeout=_whole(environment, "DATABASE_TIMEOUT_SECONDS", PATIENCE_SECONDS, MAX_TIMEOUT_SECONDS),
        jwt_secret_key=_secret_key(environment.get("JWT_SECRET_KEY", ""), instance, production=production),
        access_token_lifetime=timedelta(minutes=_whole(environment, "ACCESS_TOKEN_MINUTES", 15, MAX_ACCESS_MINUTES)),
        refresh_token_lifetime=timedelta(days=_whole(environment, "REFRESH_TOKEN_DAYS", 30, MAX_REFRESH_DAYS)),
        embedding_backend=backend,
        embedding_model=environment.get("EMBEDDING_MODEL") or PACKAGED_MODEL,
        embedding_cache=Path(cache) if (cache := environment.get("EMBEDDING_CACHE")) else None,
        embedding_threads=_threads(environment),
        embedding_waiting=_whole(environment, "EMBEDDING_WAITING", WAITING, MAX_WAITING, lowest=0),
        embedding_url=_embedding_url(environment.get("EMBEDDING_URL", ""), backend),
        embedding_api_key=_token("EMBEDDING_API_KEY", environment.get("EMBEDDING_API_KEY", "")),
        embedding_timeout=_whole(environment, "EMBEDDING_TIMEOUT_SECONDS", TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS),
        policy=_policy(environment.get("MASTERY_POLICY") or "reference"),
        selection=_selection(environment.get("SELECTION") or SELECTIONS[0]),
        cors_origins=tuple(environment.get("CORS_ORIGINS", "").replace(",", " ").split()),
        production=production,
        redis_url=environment.get("REDIS_URL", ""),
        rate_limits_enabled=_limits_enabled(environment),
        trusted_proxies=_whole(environment, "TRUSTED_PROXIES", 0, MAX_PROXIES, lowest=0),
        metrics_token=_token("METRICS_TOKEN", environment.get("METRICS_TOKEN", "")),
    )


def _database_url(url: str, instance: Path) -> str:
    """SQLAlchemy's address of the database; every PostgreSQL address gets the installed driver."""
    if not url:
        instance.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{instance / 'gradus.db'}"
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise ConfigurationError(f"DATABASE_URL must be an address such as postgresql://host/name, not {url!r}.")
    if scheme in ("postgres", "postgresql"):
        return f"postgresql+psycopg://{rest}"
    if scheme not in ("sqlite", "postgresql+psycopg"):
        raise ConfigurationError(f"DATABASE_URL must name SQLite or PostgreSQL, not {scheme!r}.")
    return url


def _secret_key(key: str, instance: Path, *, production: bool) -> str:
    if production and len(key.encode()) < MIN_SECRET_BYTES:
        found = f"has {len(key.encode())} bytes" if key else "is not set"
        raise ConfigurationError(
            f"JWT_SECRET_KEY {found}; a production start needs one of at least {MIN_SECRET_BYTES} bytes,"
            " for instance the output of: python -c 'import secrets; print(secrets.token_hex(32))'"
        )
    return key or _kept_secret(instance / "jwt_secret")


def _kept_secret(path: Path) -> str:
    """The development secret, made once; of two processes that start together, one wins and both read its secret."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix="jwt_secret.") as file:  # mode 600
            file.write(secrets.token_hex(MIN_SECRET_BYTES))
            file.flush()
            with contextlib.suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_text().strip()


def _is_production(own: str, flasks: str) -> bool:
    """Whether GRADUS_ENV, or where it is not set FLASK_ENV, asks for a production start."""
    if own and own not in ENVIRONMENTS:
        raise ConfigurationError(f"GRADUS_ENV must be one of {', '.join(ENVIRONMENTS)}, not {own!r}.")
    return (own or flasks) == "production"


def _limits_enabled(environment: Mapping[str, str]) -> bool:
    """Whether rates are limited; several processes can only do so together, in Redis."""
    answer = (environment.get("RATE_LIMITS_ENABLED") or "true").lower()
    if answer not in YES + NO:
        raise ConfigurationError(f"RATE_LIMITS_ENABLED must be true or false, not {answer!r}.")
    workers = _whole(environment, "WEB_CONCURRENCY", 1, MAX_WORKERS)
    if answer in YES and workers > 1 and not environment.get("REDIS_URL"):
        raise ConfigurationError(
            f"WEB_CONCURRENCY is {workers}, and {workers} workers cannot count requests together in memory:"
            " set REDIS_URL, or RATE_LIMITS_ENABLED=false where something else limits them."
        )
    return answer in YES


def _token(name: str, token: str) -> str:
    """The token as a header can carry it."""
    if not _is_written(token):
        raise ConfigurationError(f"{name} must be printable ASCII without spaces.")
    return token


def _whole(environment: Mapping[str, str], name: str, default: int, highest: int, *, lowest: int = 1) -> int:
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) < 10 and lowest <= int(text) <= highest):
        raise ConfigurationError(f"{name} must be a whole number from {lowest} to {highest}, not {text[:40]!r}.")
    return int(text)


def _threads(environment: Mapping[str, str]) -> int:
    """Threads of one worker's model: its share of the cores; more threads than cores make every answer slower."""
    workers = _whole(environment, "WEB_CONCURRENCY", 1, MAX_WORKERS)
    share = max(1, len(os.sched_getaffinity(0)) // workers)
    return _whole(environment, "EMBEDDING_THREADS", share, MAX_WORKERS)


def _backend(name: str) -> str:
    if name not in BACKENDS:
        raise ConfigurationError(f"EMBEDDING_BACKEND must be one of {', '.join(BACKENDS)}, not {name!r}.")
    return name


def _embedding_url(url: str, backend: str) -> str:
    """The model server's address, needed where the model runs elsewhere; what it holds is never repeated."""
    if backend == REMOTE and not url:
        raise ConfigurationError("EMBEDDING_URL must be set where EMBEDDING_BACKEND is remote.")
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ConfigurationError(f"EMBEDDING_URL {URL_EXPECTED}.") from None
    if not usable or parts.scheme not in ("http", "https") or parts.query or parts.fragment or not _is_written(url):
        raise ConfigurationError(f"EMBEDDING_URL {URL_EXPECTED}.")
    if "@" in parts.netloc:
        raise ConfigurationError("EMBEDDING_URL must hold no name and no password; a key belongs in EMBEDDING_API_KEY.")
    return url.rstrip("/")


def _is_written(text: str) -> bool:
    """Whether it is printable ASCII without spaces, as headers and addresses are."""
    return text.isascii() and text.isprintable() and " " not in text


def _selection(name: str) -> str:
    if name not in SELECTIONS:
        raise ConfigurationError(f"SELECTION must be one of {', '.join(SELECTIONS)}, not {name!r}.")
    return name


def _policy(name: str) -> MasteryPolicy:
    try:
        return policy_named(name)
    except UnknownPolicy as error:
        raise ConfigurationError(f"MASTERY_POLICY: {error}") from None
