"""create_app(): wires settings, store, scorer, controller and API together."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from argon2 import PasswordHasher
from dotenv import load_dotenv
from flask import Flask
from flask_cors import CORS
from werkzeug.middleware.proxy_fix import ProxyFix

from accounts import HASHER, Accounts
from adaptive_controller import AdaptiveInterviewController
from administration import Administration
from api import register_api
from api.context import EXTENSION, Services
from api.http import configure_openapi
from api.limits import register_limits
from api.security import register_tokens
from authoring import Authoring
from config import ROOT, Settings, load_settings
from database import be_patient, engine_options, prepare_engine
from debugging import DebuggingController
from embeddings import KeptReadings, ModelEncoder, encoder_for
from metrics import MeasuredScorer, Metrics
from models import db
from observations import Observer
from pages import blueprint as pages
from reviews import Reviews
from selection import SelectionRule
from store import Store, utc_now

EXPOSED_HEADERS = (
    "Allow",
    "Content-Disposition",
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-ID",
)
MAX_BODY_BYTES = 64 * 1024


def create_app(
    settings: Settings | None = None,
    *,
    encoder: ModelEncoder | None = None,
    clock: Callable[[], datetime] = utc_now,
    hasher: PasswordHasher = HASHER,
    has_commands: bool = True,
) -> Flask:
    """The application. Without settings they come from the environment; encoder, clock and hasher can be handed in.

    What only serves has no commands: those of the shell bring migrations along, a tenth of the time that a start takes.
    """
    if settings is None:
        load_dotenv(ROOT / ".env")
        settings = load_settings()
    app = Flask(__name__, static_folder=None)
    proxies = settings.trusted_proxies
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]
    _configure(app, settings)
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)
    app.before_request(partial(be_patient, settings.database_timeout))
    app.extensions[EXTENSION] = _wire(settings, encoder or _encoder(settings), clock, hasher)
    CORS(
        app,
        origins=list(settings.cors_origins),
        expose_headers=list(EXPOSED_HEADERS),
    )
    register_tokens(app)
    register_api(app)
    app.register_blueprint(pages)
    register_limits(app, settings)
    if has_commands:
        from commands import register_commands

        register_commands(app)
    return app


def _configure(app: Flask, settings: Settings) -> None:
    app.config.update(
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(is_sqlite=settings.is_sqlite),
        JWT_SECRET_KEY=settings.jwt_secret_key,
        JWT_ACCESS_TOKEN_EXPIRES=settings.access_token_lifetime,
        JWT_REFRESH_TOKEN_EXPIRES=settings.refresh_token_lifetime,
        JWT_TOKEN_LOCATION=["headers"],
        JWT_COOKIE_CSRF_PROTECT=False,  # no cookie has a token: a claim against forged forms would only lengthen them
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        POLICY=settings.policy,
    )
    configure_openapi(app)


def _encoder(settings: Settings) -> ModelEncoder:
    return encoder_for(
        settings.embedding_backend,
        model=settings.embedding_model,
        cache=settings.embedding_cache,
        threads=settings.embedding_threads,
        waiting=settings.embedding_waiting,
        url=settings.embedding_url,
        api_key=settings.embedding_api_key,
        seconds=settings.embedding_timeout,
    )


def _wire(settings: Settings, encoder: ModelEncoder, clock: Callable[[], datetime], hasher: PasswordHasher) -> Services:
    store = Store()
    metrics = Metrics()
    kept = KeptReadings(encoder, store)
    scorer = MeasuredScorer(encoder, kept, settings.policy, metrics=metrics)
    keeps_nothing = MeasuredScorer(encoder, kept, settings.policy, metrics=metrics, keeps_expected=False)
    return Services(
        settings=settings,
        store=store,
        accounts=Accounts(store=store, clock=clock, refresh_lifetime=settings.refresh_token_lifetime, hasher=hasher),
        administration=Administration(store=store, encoder=encoder, policy=settings.policy, clock=clock),
        authoring=Authoring(store=store, encoder=encoder, policy=settings.policy, clock=clock),
        controller=AdaptiveInterviewController(
            store=store,
            scorer=scorer,
            policy=settings.policy,
            clock=clock,
            selection=SelectionRule(settings.selection),
        ),
        observer=Observer(store=store, scorer=keeps_nothing, policy=settings.policy, clock=clock),
        debugging=DebuggingController(store=store, scorer=scorer, policy=settings.policy, clock=clock),
        reviews=Reviews(store=store, clock=clock),
        scorer=scorer,
        encoder=encoder,
        metrics=metrics,
        policy=settings.policy,
        clock=clock,
    )
