"""Settings come from the environment: what cannot be used is refused, and so is a weak secret in production."""

import os
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from dotenv import dotenv_values

from config import ROOT, ConfigurationError, Settings, load_settings
from mastery import GUIDE, REFERENCE

SECRET = "x" * 32


def settings(instance: Path, **environment: str) -> Settings:
    return load_settings(environment, instance=instance)


def refusal(instance: Path, **environment: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        settings(instance, **environment)
    return str(refused.value)


def test_an_empty_environment_starts_a_development_service(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert found == Settings(
        database_url=f"sqlite:///{tmp_path}/gradus.db",
        jwt_secret_key=(tmp_path / "jwt_secret").read_text(),
        access_token_lifetime=timedelta(minutes=15),
        refresh_token_lifetime=timedelta(days=30),
        embedding_backend="onnx",
        embedding_model="all-MiniLM-L6-v2",
        embedding_threads=len(os.sched_getaffinity(0)),
        policy=REFERENCE,
        cors_origins=(),
        production=False,
    )


def test_every_setting_is_read(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        DATABASE_URL="postgresql://ada:secret@db/gradus",
        GRADUS_ENV="production",
        JWT_SECRET_KEY=SECRET,
        ACCESS_TOKEN_MINUTES="5",
        REFRESH_TOKEN_DAYS="7",
        EMBEDDING_BACKEND="torch",
        EMBEDDING_MODEL="/srv/models/tuned",
        EMBEDDING_CACHE="/srv/copies",
        EMBEDDING_THREADS="3",
        DATABASE_TIMEOUT_SECONDS="7",
        EMBEDDING_WAITING="0",
        EMBEDDING_URL="https://models.example/v1/",
        EMBEDDING_API_KEY="key",
        EMBEDDING_TIMEOUT_SECONDS="4",
        MASTERY_POLICY="guide",
        CORS_ORIGINS="https://a.example, https://b.example",
    )
    assert found == Settings(
        database_url="postgresql+psycopg://ada:secret@db/gradus",
        database_timeout=7,
        jwt_secret_key=SECRET,
        access_token_lifetime=timedelta(minutes=5),
        refresh_token_lifetime=timedelta(days=7),
        embedding_backend="torch",
        embedding_model="/srv/models/tuned",
        embedding_cache=Path("/srv/copies"),
        embedding_threads=3,
        embedding_waiting=0,
        embedding_url="https://models.example/v1",
        embedding_api_key="key",
        embedding_timeout=4,
        policy=GUIDE,
        cors_origins=("https://a.example", "https://b.example"),
        production=True,
    )


def test_an_empty_value_is_as_good_as_none(tmp_path: Path) -> None:
    names = (
        "DATABASE_URL GRADUS_ENV JWT_SECRET_KEY ACCESS_TOKEN_MINUTES REFRESH_TOKEN_DAYS EMBEDDING_BACKEND"
        " DATABASE_TIMEOUT_SECONDS"
        " EMBEDDING_MODEL EMBEDDING_CACHE EMBEDDING_THREADS EMBEDDING_WAITING EMBEDDING_URL EMBEDDING_API_KEY"
        " EMBEDDING_TIMEOUT_SECONDS MASTERY_POLICY CORS_ORIGINS"
    )
    assert settings(tmp_path, **dict.fromkeys(names.split(), "")) == settings(tmp_path)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgresql://ada:secret@db:5433/gradus?sslmode=require", "ada:secret@db:5433/gradus?sslmode=require"),
        ("postgres://ada@db/gradus", "ada@db/gradus"),
        ("postgresql+psycopg://ada@db/gradus", "ada@db/gradus"),
        ("postgresql:///gradus", "/gradus"),
    ],
)
def test_every_postgresql_address_gets_the_installed_driver(tmp_path: Path, given: str, used: str) -> None:
    found = settings(tmp_path, DATABASE_URL=given)
    assert found.database_url == f"postgresql+psycopg://{used}"
    assert not found.is_sqlite


def test_another_sqlite_file_is_taken_as_it_is(tmp_path: Path) -> None:
    found = settings(tmp_path, DATABASE_URL="sqlite:////srv/gradus.db")
    assert found.database_url == "sqlite:////srv/gradus.db"
    assert found.is_sqlite


def test_the_folder_of_the_embedded_database_is_made(tmp_path: Path) -> None:
    found = settings(tmp_path / "new" / "instance", JWT_SECRET_KEY=SECRET)
    assert found.database_url == f"sqlite:///{tmp_path}/new/instance/gradus.db"
    assert (tmp_path / "new" / "instance").is_dir()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "DATABASE_URL",
            "gradus.db",
            "DATABASE_URL must be an address such as postgresql://host/name, not 'gradus.db'.",
        ),
        ("DATABASE_URL", "mysql://db/gradus", "DATABASE_URL must name SQLite or PostgreSQL, not 'mysql'."),
        (
            "DATABASE_URL",
            "postgresql+psycopg2://db/gradus",
            "DATABASE_URL must name SQLite or PostgreSQL, not 'postgresql+psycopg2'.",
        ),
        ("SELECTION", "lottery", "SELECTION must be one of documented, forecast, not 'lottery'."),
        ("EMBEDDING_BACKEND", "tensorflow", "EMBEDDING_BACKEND must be one of onnx, torch, remote, not 'tensorflow'."),
        (
            "MASTERY_POLICY",
            "strict",
            "MASTERY_POLICY: There is no mastery policy 'strict'; there are: reference, guide.",
        ),
    ],
)
def test_a_value_that_cannot_be_used_is_refused(tmp_path: Path, name: str, value: str, message: str) -> None:
    assert refusal(tmp_path, **{name: value}) == message


def test_a_model_elsewhere_needs_its_address(tmp_path: Path) -> None:
    found = refusal(tmp_path, EMBEDDING_BACKEND="remote")
    assert found == "EMBEDDING_URL must be set where EMBEDDING_BACKEND is remote."


@pytest.mark.parametrize(
    "url",
    [
        "http://model-server:7997/v1",
        "http://model-server",
        "https://models.example/some/where",
        "http://[::1]:7997/v1",
    ],
)
def test_the_address_of_a_model_server_is_taken_with_any_path(tmp_path: Path, url: str) -> None:
    for given in (url, f"{url}/"):
        assert settings(tmp_path, EMBEDDING_BACKEND="remote", EMBEDDING_URL=given).embedding_url == url


@pytest.mark.parametrize(
    "url",
    [
        "model-server:7997/v1",
        "model-server",
        "ftp://model-server/v1",
        "http://",
        "http:///v1",
        "http://model-server:port/v1",
        "http://model-server:0/v1",
        "http://model-server:70000/v1",
        "http://model-server/v1?secret",
        "http://model-server/v1#secret",
        "http://model server/v1",
        "http://model-server/v1\r\nX: y",
        "http://[::1/v1",
        " ",
    ],
)
@pytest.mark.parametrize("backend", ["remote", "onnx"])
def test_an_address_that_cannot_be_used_is_refused_and_not_repeated(tmp_path: Path, url: str, backend: str) -> None:
    assert refusal(tmp_path, EMBEDDING_BACKEND=backend, EMBEDDING_URL=url) == (
        "EMBEDDING_URL must be an address such as http://model-server:7997/v1, to which /embeddings is appended."
    )


def test_the_address_of_a_model_server_holds_no_password(tmp_path: Path) -> None:
    assert refusal(tmp_path, EMBEDDING_BACKEND="remote", EMBEDDING_URL="http://ada:secret@model-server/v1") == (
        "EMBEDDING_URL must hold no name and no password; a key belongs in EMBEDDING_API_KEY."
    )


@pytest.mark.parametrize("name", ["METRICS_TOKEN", "EMBEDDING_API_KEY"])
@pytest.mark.parametrize("token", ["two words", "ключ", "line\nbreak"])
def test_a_token_must_fit_a_header(tmp_path: Path, name: str, token: str) -> None:
    assert refusal(tmp_path, **{name: token}) == f"{name} must be printable ASCII without spaces."


HIGHEST = {"ACCESS_TOKEN_MINUTES": 1440, "REFRESH_TOKEN_DAYS": 3650}


@pytest.mark.parametrize("name", HIGHEST)
@pytest.mark.parametrize("value", ["0", "00", "-5", "+5", "1.5", "1e3", "soon", " ", "٣", "²", "3651000", "9" * 20])
def test_a_lifetime_is_a_whole_number_in_its_bounds(tmp_path: Path, name: str, value: str) -> None:
    assert (
        refusal(tmp_path, **{name: value}) == f"{name} must be a whole number from 1 to {HIGHEST[name]}, not {value!r}."
    )


@pytest.mark.parametrize(
    ("value", "origins"),
    [
        ("https://a.example", ("https://a.example",)),
        ("https://a.example,https://b.example", ("https://a.example", "https://b.example")),
        (" https://a.example ,, https://b.example\n", ("https://a.example", "https://b.example")),
        (" , ", ()),
    ],
)
def test_origins_stand_between_commas_or_spaces(tmp_path: Path, value: str, origins: tuple[str, ...]) -> None:
    assert settings(tmp_path, CORS_ORIGINS=value).cors_origins == origins


ADVICE = (
    "a production start needs one of at least 32 bytes,"
    " for instance the output of: python -c 'import secrets; print(secrets.token_hex(32))'"
)


def test_production_without_a_secret_does_not_start(tmp_path: Path) -> None:
    assert refusal(tmp_path, GRADUS_ENV="production") == f"JWT_SECRET_KEY is not set; {ADVICE}"
    assert not (tmp_path / "jwt_secret").exists()


def test_production_does_not_use_the_secret_of_development(tmp_path: Path) -> None:
    settings(tmp_path)
    assert refusal(tmp_path, GRADUS_ENV="production") == f"JWT_SECRET_KEY is not set; {ADVICE}"


def test_production_with_a_secret_of_31_bytes_does_not_start(tmp_path: Path) -> None:
    found = refusal(tmp_path, GRADUS_ENV="production", JWT_SECRET_KEY="x" * 31)
    assert found == f"JWT_SECRET_KEY has 31 bytes; {ADVICE}"


@pytest.mark.parametrize("secret", ["x" * 32, "é" * 16])
def test_production_takes_a_secret_of_32_bytes(tmp_path: Path, secret: str) -> None:
    found = settings(tmp_path, GRADUS_ENV="production", JWT_SECRET_KEY=secret)
    assert found.production
    assert found.jwt_secret_key == secret


def test_development_takes_a_given_secret_and_makes_none(tmp_path: Path) -> None:
    assert settings(tmp_path, JWT_SECRET_KEY="short").jwt_secret_key == "short"
    assert list(tmp_path.iterdir()) == []


def test_the_kept_secret_is_long_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    secret = settings(tmp_path).jwt_secret_key
    assert re.fullmatch(r"[0-9a-f]{64}", secret)
    assert stat.S_IMODE((tmp_path / "jwt_secret").stat().st_mode) == 0o600


def test_the_kept_secret_is_the_same_at_every_start(tmp_path: Path) -> None:
    assert settings(tmp_path).jwt_secret_key == settings(tmp_path).jwt_secret_key
    assert [path.name for path in tmp_path.iterdir()] == ["jwt_secret"]


def test_every_installation_has_a_secret_of_its_own(tmp_path: Path) -> None:
    assert settings(tmp_path / "a").jwt_secret_key != settings(tmp_path / "b").jwt_secret_key


def test_starts_at_the_same_moment_agree_on_the_secret(tmp_path: Path) -> None:
    for attempt in range(20):
        together = threading.Barrier(8)
        secrets: list[str] = []

        def start(
            instance: Path = tmp_path / str(attempt),
            together: threading.Barrier = together,
            secrets: list[str] = secrets,
        ) -> None:
            together.wait()
            secrets.append(settings(instance).jwt_secret_key)

        threads = [threading.Thread(target=start) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(secrets) == 8
        assert len(set(secrets)) == 1


def test_two_processes_agree_on_the_secret(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys, config;"
        " print(config.load_settings({}, instance=pathlib.Path(sys.argv[1])).jwt_secret_key)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    first, second = (process.communicate()[0] for process in processes)
    assert len(first.strip()) == 64
    assert first == second


class Recorded(Mapping[str, str]):
    """An environment without a variable, which notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def variables_read(tmp_path: Path) -> set[str]:
    """The variables that config.py, gunicorn.conf.py and commands.py read."""
    environment = Recorded()
    load_settings(environment, instance=tmp_path)
    sources = [(ROOT / name).read_text(encoding="utf-8") for name in ("gunicorn.conf.py", "commands.py")]
    return environment.asked | {
        name for source in sources for name in re.findall(r"os\.environ(?:\.get\(|\[)[\"'](\w+)", source)
    }


def test_the_example_file_lists_every_variable_that_is_read_and_no_other(tmp_path: Path) -> None:
    assert set(dotenv_values(ROOT / ".env.example")) == variables_read(tmp_path)


def test_the_example_file_shows_the_values_that_hold_without_it(tmp_path: Path) -> None:
    example = {name: value or "" for name, value in dotenv_values(ROOT / ".env.example").items()}
    assert settings(tmp_path, **example) == settings(tmp_path)


def test_every_variable_of_the_example_file_is_explained() -> None:
    blocks = (ROOT / ".env.example").read_text(encoding="utf-8").strip().split("\n\n")[1:]
    assert [block for block in blocks if not block.startswith("# ")] == []
