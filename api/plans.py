"""What to practise next, over HTTP."""

from typing import Any

from action_plans import action_plans
from api.context import learner, services
from api.http import ApiBlueprint
from api.schemas.plans import ActionPlansSchema

blueprint = ApiBlueprint("plans", __name__, url_prefix="/api/profile", description="What to practise next")


@blueprint.get("/action_plans")
@blueprint.signed_in
@blueprint.response(200, ActionPlansSchema)
@blueprint.problems(409)
def plans() -> dict[str, Any]:
    """A plan for each topic, most urgent first, derived from the learner's mastery at this moment."""
    store, now = services().store, services().clock()
    due: dict[str, list[str]] = {}
    for one in services().reviews.due(learner().id):
        due.setdefault(one.topic, []).append(one.forecast.concept)
    derived = action_plans(
        store.bank(),
        {row.topic: row.mastery for row in store.masteries(learner().id)},
        last_asked=store.last_asked(learner().id),
        debugging_topics={challenge.topic for challenge in store.challenges().active},
        due=due,
        now=now.timestamp(),
        policy=services().policy,
    )
    return {"action_plans": derived, "generated_at": now}
