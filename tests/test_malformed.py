"""Requests that are broken in every way: none of them is a fault of the service, and none of them spoils a record.

`make soak` sends so many that 100,000 are refused as malformed; the tests 2,000 (`--malformed`).
"""

import json
import random
import re
import string
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from config import ROOT
from replays import verify
from store import Store
from tests.abuse.test_api08_misconfiguration import TRAPS
from tests.conftest import Counts, Learner, sign_up
from tests.test_access import HELD, OBSERVED, OWN, TABLE, administrator

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 2**31, 2**63, 2**64, -(2**63), 10**300, "", " ", "0", "null", [], {}, [[]], [None],
    {"a": {"b": {}}}, ["x"] * 200, "x" * 9000, "\ud800", "\x00", *TRAPS.values(),
)  # fmt: skip
NUMBERS = ("NaN", "Infinity", "-Infinity", "1e999", "-0", "01", "0x1", "1_0", "+1", ".5")
TYPES = (
    "application/json",
    "text/plain",
    "application/xml",
    "multipart/form-data",
    "application/json; charset=utf-16",
    "",
)
UNSPOILT = ("/api/auth/logout", "/api/auth/password", "/api/user", "/api/auth/register", "/role")
"""Left out: they end the learner's login, or change who is who."""


MALFORMED = (400, 413, 415, 422)
"""How a request is answered that is itself wrong, whoever sends it and whatever there is."""

SENT_AT_MOST = 5
"""Requests for each malformed one: some are right by chance, or ask for what is not there."""

STRANGE_IDS = (1, 0, -1, 10**12, 10**30, "x", "1'--", "%00", "%ff%fe")


def query_of(path: str) -> tuple[str, ...]:
    """The parameters that a GET of that path takes, by the document."""
    documented = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    for template, methods in documented.items():
        if re.fullmatch(re.sub(r"{[^{}]*}", "[^/]+", template), path):
            parameters = methods.get("get", {}).get("parameters", [])
            return tuple(one["name"] for one in parameters if one.get("in") == "query")
    return ()


class Mutator:
    """Takes requests that are right and breaks them, at random but the same every time."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.queries = {path: query_of(path) for method, path in TABLE if method == "GET"}
        self.requests = [
            (method, path, row.body if isinstance(row.body, dict) else {})
            for (method, path), row in TABLE.items()
            if path.startswith("/api/")
            and not path.endswith(UNSPOILT)
            and (method != "GET" or OWN in path or self.queries[path])
        ]

    def request(self, own: dict[str, int]) -> tuple[str, str, bytes | None, dict[str, str]]:
        """Method, path, body and headers; `own` are ids of what the caller may reach, by a part of the path."""
        method, path, body = self.chance.choice(self.requests)
        mine = next((row_id for part, row_id in own.items() if part in path), 0)
        path = path.replace(OWN, str(mine if self.chance.random() < 0.5 else self.chance.choice(STRANGE_IDS)))
        headers = {}
        if self.chance.random() < 0.2:
            headers[self.chance.choice(["Idempotency-Key", "X-Request-Id", "If-None-Match", "Accept"])] = self.header()
        if method == "GET":
            names = self.queries.get(path) or ("limit", "x")
            return method, f"{path}?{self.chance.choice(names)}={self.word()}", None, headers
        headers["Content-Type"] = TYPES[0] if self.chance.random() < 0.9 else self.chance.choice(TYPES)
        return method, path, self.body(body), headers

    def body(self, right: dict[str, Any]) -> bytes:
        kind = self.chance.random()
        if kind < 0.1:
            return self.chance.randbytes(self.chance.randrange(200))
        broken = json.loads(json.dumps(right))
        for _ in range(self.chance.randrange(1, 4)):
            name = self.chance.choice([*broken, "x", "__proto__", "user_id"]) if broken else "x"
            if self.chance.random() < 0.25:
                broken.pop(name, None)
            else:
                broken[name] = self.chance.choice(VALUES)
        text = json.dumps(self.chance.choice(VALUES) if kind < 0.15 else broken)
        if kind > 0.9:
            text = text.replace("0.5", self.chance.choice(NUMBERS), 1)
        if kind > 0.95:
            place = self.chance.randrange(len(text))
            text = text[:place] + self.chance.choice(string.punctuation) + text[place + 1 :]
        return text.encode()

    def word(self) -> str:
        return "".join(self.chance.choices(string.ascii_letters + string.digits + "%+-_.~!*'();:@&=$,/?[]", k=12))

    def header(self) -> str:
        return "".join(map(chr, (self.chance.randrange(32, 255) for _ in range(self.chance.randrange(1, 300)))))


def things_of(learner: Learner, other: Learner) -> dict[str, int]:
    """Ids that requests of the learner's and of an administrator's reach, by a part of their paths."""
    kinds = ("adaptive", "debugging")
    held = learner.post("/api/sessions", HELD).json["session"]["id"]
    sessions = {f"/{kind}/": learner.post(f"/api/{kind}/sessions").json["session"]["id"] for kind in kinds}
    return {"/admin/users/": other.id, **sessions, "/api/sessions/": held}


def test_no_malformed_request_is_a_fault(
    any_url: str, make_app: Callable[..., Flask], request: pytest.FixtureRequest, counts: Counts
) -> None:
    wanted: int = request.config.getoption("--malformed") // 2
    app = make_app(any_url)
    learner, admin = sign_up(app), administrator(app)
    own = things_of(learner, sign_up(app))
    mutator, statuses, faults = Mutator(seed=1), Counter[int](), list[object]()
    while (malformed := sum(statuses[status] for status in MALFORMED)) < wanted:
        assert statuses.total() < SENT_AT_MOST * wanted, statuses
        method, path, body, headers = mutator.request(own)
        caller = admin if "/admin/" in path else learner
        reply = caller.client.open(path, method=method, headers={**headers, **caller.headers}, data=body)
        statuses[reply.status_code] += 1
        if reply.status_code >= 500:
            faults.append((reply.status_code, method, path, (body or b"")[:500], headers))
    counts.add(requests_sent=statuses.total(), malformed_requests=malformed, server_errors=len(faults))
    assert faults == []
    assert learner.post("/api/adaptive/observations", OBSERVED).status_code == 201
    with app.app_context():
        found = verify(Store(), [learner.id, admin.id])
    assert found.records > 0
    assert found.differences == ()
    assert learner.get("/api/user/progress").status_code == 200
