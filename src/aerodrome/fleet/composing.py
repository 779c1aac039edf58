"""Makes the whole project of a deploy that brings only a part of it: the rest comes from the deploy before.

Called by `fleet.deploys` outside of transactions: it reads and writes bundles, nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from aerodrome.builds.contract import Bundle
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.names import check_bundle_name
from aerodrome.fleet.requests import NewDeploy
from aerodrome.kernel.errors import Conflict, Invalid, NotFound
from aerodrome.store.tables.deploy import DeployRow

TAKEN: Final[Mapping[str, frozenset[str] | None]] = {  # kind of deploy -> parts that are taken of the upload; None: all
    "full": None,
    "dags": frozenset({"dags"}),
    "packages": frozenset({"requirements", "settings"}),
    "bundle": frozenset({"dags"}),
}


def with_bundle(wish: NewDeploy, bundle: Bundle) -> NewDeploy:
    return replace(wish, bundle=bundle)


def compose(context: FleetContext, wish: NewDeploy, before: DeployRow | None) -> NewDeploy:
    """Give the wish with whole bundles. Conflict when there is nothing to build on, NotFound an unknown named bundle."""
    if wish.kind == "full" or wish.extra_bundles is not None or wish.source is not None:
        return wish
    if before is None:
        raise Conflict(
            "This deployment has no deploy yet that this one could change.",
            code="deploy-without-base",
            hint="Deploy the whole project first: `aerodrome deploy PATH`.",
        )
    if wish.kind == "bundle":
        return _with_named(wish, before)
    if wish.bundle is None:
        return wish
    base = context.bundles.get(before.bundle_digest)
    return replace(wish, bundle=context.bundles.compose(base, wish.bundle, TAKEN[wish.kind] or set()))


def _with_named(wish: NewDeploy, before: DeployRow) -> NewDeploy:
    if wish.bundle_name is None:
        raise Invalid("A named DAG bundle needs its name.", code="bundle-name-missing", hint="Give --bundle NAME.")
    name = check_bundle_name(wish.bundle_name)
    extra = dict(before.extra_bundles)
    if wish.bundle is not None:
        extra[name] = wish.bundle.digest
    elif extra.pop(name, None) is None:
        raise NotFound(
            f"There is no DAG bundle {name!r}.",
            code="bundle-name-unknown",
            hint="`aerodrome deploy bundle list` shows them.",
        )
    return replace(wish, bundle=None, extra_bundles=extra)
