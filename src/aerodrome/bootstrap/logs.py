"""Sets up logging: structlog and the standard library end in one stream on standard error, masked by the Redactor."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import Processor

from aerodrome.kernel.redaction import Redactor
from aerodrome.settings.model import Settings

_QUIET = ("alembic", "sqlalchemy", "httpx2", "httpcore2", "uvicorn.access")


class StandardError(logging.Handler):
    """Writes to what `sys.stderr` is at that moment; a StreamHandler would keep the one of its own birth."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()
        except Exception:  # noqa: BLE001 - the standard library's rule: logging breaks nothing
            self.handleError(record)


def configure(settings: Settings, redactor: Redactor) -> None:
    """Send every log line of this process through the same masks. Calling it again replaces the former set-up."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redactor.processor,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = StandardError()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                redactor.processor,  # once more: a foreign record's text is complete only here
                _renderer(settings),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _renderer(settings: Settings) -> Processor:
    if settings.log_format == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=24
    )
