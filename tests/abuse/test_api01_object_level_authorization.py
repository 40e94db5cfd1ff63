"""API1, broken object level authorization: nobody reaches a thing by its id that is not theirs.

Over all routes and all ids: `test_access.py`. Here: ids next to one's own, and ids in every other form.
"""

import pytest

from tests.conftest import Learner

PATHS = (
    "/api/adaptive/sessions/{id}",
    "/api/sessions/{id}",
    "/api/debugging/sessions/{id}",
    "/api/admin/users/{id}/progress",
)
FORMS = ("0", "-1", "1e3", "0x10", "1 OR 1=1", "1;--", "%00", "null", "true", "9" * 30, "١", "1/../1", "..%2f1")


def test_ids_beside_ones_own_are_nobodys(learner: Learner, stranger: Learner) -> None:
    theirs = stranger.start(topics=["dbms"])["session"]["id"]
    for near in range(theirs - 3, theirs + 4):
        assert learner.get(f"/api/adaptive/sessions/{near}").status_code == 404
        assert learner.get(f"/api/sessions/{near}").status_code == 404
        assert learner.post(f"/api/adaptive/sessions/{near}/finish").status_code == 404
    assert stranger.get(f"/api/adaptive/sessions/{theirs}").json["session"]["status"] == "active"


@pytest.mark.parametrize("path", PATHS)
def test_an_id_of_another_form_is_refused(learner: Learner, path: str) -> None:
    for form in FORMS:
        assert learner.get(path.format(id=form)).status_code in (403, 404, 422), form


def test_the_account_of_a_request_is_that_of_its_token_whatever_else_it_names(
    learner: Learner, stranger: Learner
) -> None:
    seen = {"topic": "dbms", "semantic_score": 1, "keyword_score": 1, "concepts": ["Index"]}
    reply = learner.client.post(
        f"/api/adaptive/observations?user_id={stranger.id}",
        headers={**learner.headers, "X-User-Id": str(stranger.id), "X-Forwarded-User": "stranger"},
        json=seen,
    )
    assert reply.status_code == 201
    assert stranger.get("/api/user/progress").json["topics"] == {}
    assert learner.get("/api/user/progress").json["topics"].keys() == {"dbms"}
