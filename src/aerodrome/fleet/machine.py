"""The state machines of deployments and deploys, as tables. The docs picture is generated from them."""

from __future__ import annotations

from aerodrome.kernel.machine import Machine

_DEPLOYMENT_STATES = {
    "creating": "The first start is under way: virtualenv, metadata database, processes.",
    "deploying": "A new version is being put there; the version before it stays until the new one is confirmed.",
    "starting": "Processes are coming up after a change, a wake-up or a crash.",
    "healthy": "Every component runs and reports well.",
    "degraded": "It works, but a component is down or restarting.",
    "unhealthy": "It does not schedule.",
    "hibernating": "Processes are being stopped; data stays.",
    "hibernated": "Nothing runs; data stays. Wake it to go on.",
    "failed": "The wish cannot be made true; the reasons say what to change. An update, a deploy or a retry moves it on.",
    "deleting": "Processes, data and secrets are being removed. The last state.",
}
_SEEN = {
    "saw-healthy": "healthy",
    "saw-starting": "starting",
    "saw-degraded": "degraded",
    "saw-unhealthy": "unhealthy",
    "saw-stopped": "hibernated",
    "deploy": "deploying",
    "hibernate": "hibernating",
    "wake": "starting",
    "fail": "failed",
    "delete": "deleting",
}
_NOT_FROM = {
    # an Airflow that has never been healthy is still being created, not starting again
    "creating": {"saw-starting"},
    "deleting": set(_SEEN) - {"delete"},
}

DEPLOYMENT = Machine(
    name="deployment",
    initial="creating",
    states=_DEPLOYMENT_STATES,
    transitions={
        (state, event): to
        for state in _DEPLOYMENT_STATES
        for event, to in _SEEN.items()
        if event not in _NOT_FROM.get(state, set())
    }
    | {("creating", "saw-starting"): "creating"},
)

DEPLOY = Machine(
    name="deploy",
    initial="queued",
    states={
        "queued": "Waits for its turn; one deploy of a deployment moves at a time.",
        "building": "Its virtualenv is being made ready. Nothing that runs has changed.",
        "switching": "The running Airflow is being moved to it; the version before stays at hand.",
        "returning": "It failed after Airflow had stopped: the database and the version before it are being put back.",
        "live": "This is what runs.",
        "superseded": "A later deploy took its place.",
        "failed": "It never went live; the error says why. The version before it runs on. Deploy again.",
    },
    transitions={
        ("queued", "build"): "building",
        ("building", "switch"): "switching",
        ("switching", "confirm"): "live",
        ("live", "supersede"): "superseded",
        ("queued", "fail"): "failed",
        ("building", "fail"): "failed",
        ("switching", "fail"): "failed",
        ("switching", "return"): "returning",
        ("returning", "fail"): "failed",
    },
)
UNFINISHED = ("queued", "building", "switching", "returning")
