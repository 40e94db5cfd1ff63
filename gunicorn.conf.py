"""How gunicorn serves the application: threads in a few workers, each with its own model."""

import logging
import os
import threading
from typing import Any

from dotenv import load_dotenv

from config import ROOT

load_dotenv(ROOT / ".env")

wsgi_app = "app:create_app()"
bind = f"{os.environ.get('HOST') or '127.0.0.1'}:{os.environ.get('PORT') or '5000'}"
workers = int(os.environ.get("WEB_CONCURRENCY") or 1)
worker_class = "gthread"
threads = 8
timeout = 60
graceful_timeout = 30
keepalive = 15
accesslog = None

# Each worker computes with its share of the cores; more threads than cores make every answer slower.
os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))
control_socket_disable = True


def post_worker_init(worker: Any) -> None:
    """Load the model beside the first requests, so that the process answers at once."""
    from api.context import EXTENSION
    from embeddings import ModelUnavailable

    encoder = worker.wsgi.extensions[EXTENSION].encoder

    def warm_up() -> None:
        try:
            encoder.load()
        except ModelUnavailable as error:
            logging.getLogger("gunicorn.error").error("%s Answers get 503 until it can.", error)

    threading.Thread(target=warm_up, name="model-warm-up", daemon=True).start()
