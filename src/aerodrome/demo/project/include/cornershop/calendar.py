"""When the shop opened, and what that means for start dates."""

import os

import pendulum


def shop_opening(**before):
    """Moment at which the shop opened, minus the given duration (`hours=4`)."""
    return pendulum.parse(os.environ["SHOP_LIVE_AT"]).in_timezone("UTC").subtract(**before)
