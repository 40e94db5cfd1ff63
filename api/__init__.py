"""The HTTP contract: one file per area, each of whose views loads, makes one call and dumps."""

from flask import Flask

from api import (
    account_data,
    admin,
    auth,
    bank,
    debugging,
    docs,
    history,
    observations,
    operations,
    plans,
    practice,
    progress,
)
from api.http import GradusApi, GradusJson, add_common_headers, give_request_id
from api.measuring import register_measuring


def register_api(app: Flask) -> None:
    """Attach every area of the contract to the application."""
    app.json = GradusJson(app)
    register_measuring(app)
    app.before_request(give_request_id)
    app.after_request(add_common_headers)
    api = GradusApi(app)
    for area in (auth, progress, practice, history, debugging, plans, observations, account_data, admin, bank):
        api.register_blueprint(area.blueprint)
    app.register_blueprint(operations.blueprint)
    app.register_blueprint(docs.blueprint)
