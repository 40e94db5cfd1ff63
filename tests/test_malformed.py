"""Requests that are broken in every way: none of them is a fault of the service, and none of them spoils a record.

`make soak` sends 100,000; the tests 2,000 (`--malformed`).
"""

import json
import random
import string
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from replays import verify
from store import Store
from tests.abuse.test_api08_misconfiguration import TRAPS
from tests.conftest import Counts, Learner, sign_up
from tests.test_access import OWN, TABLE, administrator

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


class Mutator:
    """Takes requests that are right and breaks them, at random but the same every time."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.requests = [
            (method, path, row.body if isinstance(row.body, dict) else {})
            for (method, path), row in TABLE.items()
            if path.startswith("/api/") and not path.endswith(UNSPOILT)
        ]

    def request(self) -> tuple[str, str, bytes, dict[str, str]]:
        method, path, body = self.chance.choice(self.requests)
        path = path.replace(OWN, str(self.chance.choice([1, 0, -1, 10**12, 10**30, "x", "1'--", "%00", "%ff%fe"])))
        if self.chance.random() < 0.3:
            path += f"?{self.chance.choice(['limit', 'cursor', 'topic', 'q', 'type', 'x'])}={self.word()}"
        headers = {}
        if self.chance.random() < 0.2:
            headers[self.chance.choice(["Idempotency-Key", "X-Request-Id", "If-None-Match", "Accept"])] = self.header()
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


def test_no_malformed_request_is_a_fault(
    any_url: str, make_app: Callable[..., Flask], request: pytest.FixtureRequest, counts: Counts
) -> None:
    total: int = request.config.getoption("--malformed")
    app = make_app(any_url)
    learner = sign_up(app)
    callers: list[Learner] = [learner, administrator(app)]
    mutator, statuses = Mutator(seed=len(any_url)), Counter[int]()
    for number in range(total // 2):
        method, path, body, headers = mutator.request()
        caller = callers[number % 8 == 0]
        reply = caller.client.open(
            path,
            method=method,
            headers={**headers, **caller.headers, "Content-Type": mutator.chance.choice(TYPES[: 1 + number % 6])},
            data=body,
        )
        statuses[reply.status_code] += 1
        assert reply.status_code < 500 or reply.status_code in (501, 505), (method, path, body[:500], headers)
    refused = sum(count for status, count in statuses.items() if 400 <= status < 500)
    counts.add(malformed_requests=total // 2, refused=refused, server_errors=0)
    assert refused > total // 4
    with app.app_context():
        assert verify(Store(), [caller.id for caller in callers]).differences == ()
    assert learner.get("/api/user/progress").status_code == 200
