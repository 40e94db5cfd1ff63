"""How gunicorn serves the application: threads in a few workers, each with its own model."""

import contextlib
import ctypes
import gc
import json
import logging
import os
import shutil
import tempfile
import threading
import time
import uuid
from typing import Any

from dotenv import load_dotenv
from gunicorn import util

from config import ROOT
from logs import logging_settings

load_dotenv(ROOT / ".env")

wsgi_app = "app:create_app(has_commands=False)"
bind = f"{os.environ.get('HOST') or '127.0.0.1'}:{os.environ.get('PORT') or '5000'}"
workers = int(os.environ.get("WEB_CONCURRENCY") or 1)
worker_class = "gthread"
threads = 32  # as many as may wait for the model (EMBEDDING_WAITING), and some for everything else meanwhile
timeout = 60
graceful_timeout = 30
keepalive = 15
accesslog = None
logconfig_dict = logging_settings()
control_socket_disable = True

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
"""The names of these settings in glibc's malloc.h."""

# glibc gives threads arenas of their own, up to eight a core; what one has freed the others do not use. Vectors of a
# text's words lie apart from them and go back when they are freed: glibc would soon keep them in arenas, for good.
with contextlib.suppress(OSError, AttributeError):  # another C library has no such thing
    malloc = ctypes.CDLL(None)
    malloc.mallopt(M_ARENA_MAX, 2)
    malloc.mallopt(M_MMAP_THRESHOLD, 128 * 1024)

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Where the workers count together (see metrics.py); a new one for every start, for figures begin at 0."""


LAST_PATIENCE_SECONDS = 5.0
"""How long a worker that ends waits for a statement: its clients wait for the next worker."""


def on_starting(_server: Any) -> None:
    """Make the folder of metrics, before any worker looks for it."""
    os.environ[METRICS_FOLDER] = tempfile.mkdtemp(prefix="gradus-metrics-")


def post_fork(_server: Any, _worker: Any) -> None:
    """What a start makes stays: to look for garbage in it, again and again, is a tenth of the start."""
    gc.disable()


def worker_exit(_server: Any, worker: Any) -> None:
    """What a worker's last answers say of the forecast's shared terms waits in it: it is written before the end."""
    from api.context import EXTENSION
    from database import be_patient

    app = getattr(worker, "wsgi", None)
    if app is None:  # it ends because it could not load the application
        return
    service = app.extensions[EXTENSION]
    be_patient(min(LAST_PATIENCE_SECONDS, service.settings.database_timeout))
    with app.app_context():
        service.store.share_what_waits(at=service.clock())


def child_exit(_server: Any, worker: Any) -> None:
    """What a worker counted stays; what it said of itself goes with it."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """Remove the folder of metrics."""
    shutil.rmtree(os.environ[METRICS_FOLDER], ignore_errors=True)


def write_problem(sock: Any, status: int, reason: str, message: str) -> None:
    """What gunicorn itself refuses (a broken request line, one over 4,094 bytes) is a problem like any other."""
    body = json.dumps(
        {
            "type": "about:blank",
            "title": reason,
            "status": status,
            "detail": message or reason,
            "instance": "",
            "request_id": uuid.uuid4().hex,
        }
    ).encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    util.write_nonblock(sock, head.encode("latin-1") + body)


SETTLED_SECONDS = 2.0
"""After a start those come first who waited for it."""

BREATH_SECONDS = 0.005
"""Between two questions that are made ready requests have their turn."""


def post_worker_init(worker: Any) -> None:
    """Load the model beside the first requests, so that the process answers at once, and then the questions."""
    from sqlalchemy.exc import SQLAlchemyError

    from api.context import EXTENSION
    from database import be_patient
    from embeddings import ModelUnavailable

    gc.freeze()
    gc.enable()
    util.write_error = write_problem

    log = logging.getLogger("gunicorn.error")
    service = worker.wsgi.extensions[EXTENSION]
    service.metrics.note_model(loaded=False)

    def warm_up() -> None:
        while True:
            try:
                service.encoder.load()
                service.metrics.note_model(loaded=True)
                break
            except ModelUnavailable as error:
                log.error("%s; answers get 503 until it can", error)
                time.sleep(error.retry_after + 1)
        time.sleep(SETTLED_SECONDS)
        be_patient(service.settings.database_timeout)
        ready = 0
        try:
            with worker.wsgi.app_context():
                for is_ready in service.controller.make_ready():
                    ready += is_ready
                    time.sleep(BREATH_SECONDS)
            log.info("ready for answers questions=%d", ready)
        except (ModelUnavailable, SQLAlchemyError) as error:  # questions get ready when they are answered
            log.info("ready for answers questions=%d stopped_by=%s", ready, type(error).__name__)
        except Exception:
            log.exception("questions were not made ready")
        gc.freeze()  # what is there now stays: to look through it again stops every thread for 0.1 s

    threading.Thread(target=warm_up, name="model-warm-up", daemon=True).start()
