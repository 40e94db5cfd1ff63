"""ModelServer: a server of embeddings that speaks OpenAI's `/v1/embeddings`, asked within bounds."""

import json
import logging
import random
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus

import numpy as np
import orjson
import urllib3
from urllib3 import exceptions

from embeddings.choice import TIMEOUT_SECONDS
from embeddings.readings import ModelServerDown, ModelUnavailable, Vectors

log = logging.getLogger(__name__)

CONNECT_SECONDS = 2.0
"""A server in the same network takes the connection at once; this leaves room for one lost packet."""

WAITS = (0.1, 0.3, 0.9)
"""Seconds before each repetition, at least; up to as much again is added, so that workers do not come in step."""

BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
PASSING = (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)
"""What gateways say of a server behind them that is not there, perhaps for a moment only."""

ABOUT_THE_TEXT = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.INTERNAL_SERVER_ERROR,
)
"""What may be the fault of one text: others are still sent."""

MAX_REPLY_BYTES = 32 * 1024 * 1024
"""Vectors of 4,096 dimensions for a full request, and room; more is not read."""


class _Passing(ModelServerDown):
    """A failure after which the request is repeated, not before `wait` seconds."""

    def __init__(self, reason: str, *, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class _Busy(_Passing):
    """The server has too much to do."""

    retry_after = 1


class ModelServer:
    """Asks the server for vectors; threads share its connections.

    `url` is what `/embeddings` is appended to. `seconds` bounds a request with all its repetitions. What goes wrong is
    told without the address, the key or the texts, and neither key nor texts are logged.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str,
        api_key: str = "",
        seconds: float = TIMEOUT_SECONDS,
        connections: int = 1,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._address = f"{url.rstrip('/')}/embeddings"
        self._model = model
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._seconds = seconds
        self._pool = urllib3.PoolManager(maxsize=connections, retries=False)
        self._clock = clock
        self._sleep = sleep
        self._chance = chance

    def embed(self, texts: Sequence[str], *, within: float | None = None) -> Vectors:
        """The vectors as the server gives them, finite and none of length 0, shape (len(texts), dimensions).

        `within` is a shorter time in seconds. Raises `ModelServerDown` where the server fails, and `ModelUnavailable`
        where it may be these texts that it cannot read.
        """
        body = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        deadline = self._clock() + min(self._seconds, within or self._seconds)
        return _vectors_in(self._repeated(json.dumps(body).encode(), deadline), len(texts))

    def _repeated(self, body: bytes, deadline: float) -> bytes:
        for shortest in WAITS:
            try:
                return self._post(body, deadline)
            except _Passing as failure:
                wait = max(shortest, failure.wait) + shortest * self._chance()
                if self._clock() + wait >= deadline:
                    raise
                self._sleep(wait)
        return self._post(body, deadline)

    def _post(self, body: bytes, deadline: float) -> bytes:
        """The content of a good reply."""
        left = max(deadline - self._clock(), 0.001)
        timeout = urllib3.Timeout(connect=min(CONNECT_SECONDS, left), read=left)
        try:
            response = self._pool.request(
                "POST",
                self._address,
                body=body,
                headers=self._headers,
                timeout=timeout,
                redirect=False,
                preload_content=False,
            )
            try:
                _check(response)
                return self._content(response, deadline)
            finally:
                response.close()
        except exceptions.HTTPError as error:
            raise _failed(error) from None

    def _content(self, response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
        """All of it, as it comes: a reply that trickles in is not waited for longer than another."""
        content = bytearray()
        while part := response.read1(decode_content=False):
            content += part
            if len(content) > MAX_REPLY_BYTES:
                raise _down("The model server's reply is too large.", f"over {MAX_REPLY_BYTES} bytes")
            if self._clock() >= deadline:
                raise _down("The model server did not answer in time.", "slow reply")
        return bytes(content)


def _failed(error: exceptions.HTTPError) -> ModelServerDown:
    """What it means that no reply came. A refused connection is a time-out too in urllib3's tree."""
    log.warning("model server failed what=%s", type(error).__name__)
    if isinstance(error, exceptions.TimeoutError) and not isinstance(error, exceptions.NewConnectionError):
        return ModelServerDown("The model server did not answer in time.")
    return _Passing("The model server cannot be reached.")


def _check(response: urllib3.BaseHTTPResponse) -> None:
    """Raises what a reply without vectors means."""
    status = response.status
    if status == HTTPStatus.OK:
        return
    if status in ABOUT_THE_TEXT:
        log.warning("model server refused a text status=%d", status)
        raise ModelUnavailable("The model server could not read this text.")
    log.warning("model server failed what=status %d", status)
    if status in BUSY:
        raise _Busy("The model server has too much to do.", wait=_seconds_in(response.headers.get("Retry-After", "")))
    if status in PASSING:
        raise _Passing("The model server cannot be reached.")
    raise ModelServerDown("The model server refuses to work for this service.")


def _seconds_in(retry_after: str) -> float:
    """What `Retry-After` asks for; a date or nonsense asks for nothing, and our own waits hold."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 7 else 0.0


def _vectors_in(content: bytes, texts: int) -> Vectors:
    """The vectors of a reply by their `index`."""
    try:
        rows = orjson.loads(content)["data"]
        by_index = {row["index"]: row["embedding"] for row in rows}
        with np.errstate(over="ignore"):
            vectors = np.array([by_index[number] for number in range(texts)], dtype=np.float32)
    except (ValueError, KeyError, TypeError) as error:
        raise _down("The model server's reply holds no vectors.", type(error).__name__) from None
    if len(rows) != texts or vectors.ndim != 2 or not vectors.size:
        raise _down("The model server's reply holds no vectors.", f"{len(rows)} for {texts}")
    if not np.isfinite(vectors).all() or not vectors.any(axis=1).all():
        raise ModelUnavailable("The embedding model gave no finite numbers for this text.")
    return vectors


def _down(reason: str, what: str) -> ModelServerDown:
    """The failure for the client; the log says a little more."""
    log.warning("model server failed what=%s", what)
    return ModelServerDown(reason)
