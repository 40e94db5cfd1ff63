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
