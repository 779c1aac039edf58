"""Outbox in, messages out: channels of a workspace are told what needs somebody."""

from aerodrome.alerts.service import Alerts

__all__ = ["Alerts"]
