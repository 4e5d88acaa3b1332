"""Logs of services: one JSON object a line on standard error, holding nothing but what is on the list below.

No bodies, no query strings, no identifiers, no exception texts (which may quote data): an exception is logged by its
type and the places in the code that it passed.
"""

import json
import logging
import sys
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

import structlog

ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

# Whoever logs something new adds its key here, where a reader of the code sees all that a log can hold.
LOGGED_KEYS = frozenset(
    {
        "event", "level", "timestamp", "service", "logger", "pid", "address", "workers", "threads",
        "request_id", "method", "route", "status", "seconds", "party_id", "role", "problem",
        "exception", "frames", "dropped",
        "agreement_id", "number", "epoch_id", "family", "kind", "day", "roster_version", "share_version", "attempt",
        "round", "holder", "institution_id", "recipient_id", "seq", "count", "records", "entries", "parts", "alerts",
        "components", "openings", "refused", "reason", "retry_in",
    }
)  # fmt: skip
_LONGEST_TEXT = 200


def keep_known_keys(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop every key that is not on the list (naming it) and every value that is not a short plain one."""
    unknown = sorted(name for name in event if name not in LOGGED_KEYS)
    for name in unknown:
        del event[name]
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = value[:_LONGEST_TEXT]
        elif name != "frames" and not isinstance(value, (int, float, type(None))):
            event[name] = f"<{type(value).__name__}>"
    if unknown:
        event["dropped"] = ", ".join(unknown)[:_LONGEST_TEXT]
    return event


def describe_exception(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Turn `exc_info` into the exception's type and the code's places, without its text."""
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    if isinstance(given, BaseException):
        given = (type(given), given, given.__traceback__)
    if isinstance(given, tuple) and given[0] is not None:
        event["exception"] = given[0].__name__
        event["frames"] = _frames(given[2])
    return event


def _frames(where: TracebackType | None) -> list[str]:
    """Return the innermost 12 places as module:line."""
    steps = [(frame.f_globals.get("__name__", "?"), line) for frame, line in traceback.walk_tb(where)]
    return [f"{module}:{line}" for module, line in steps[-12:]]


class _LibraryLines(logging.Handler):
    """Libraries' own log records: the message template without its arguments, which may be data."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the record on as an event of ours."""
        # gunicorn's arguments are addresses, process ids and signals, without which its lines say nothing.
        text = record.getMessage() if record.name.startswith("gunicorn") else str(record.msg)
        event: dict[str, Any] = {"logger": record.name}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        structlog.get_logger().log(record.levelno, text, **event)


def configure_logging(service: str, *, level: int = logging.INFO) -> None:
    """Send this process's logs, our own and the libraries', to standard error as JSON in the name of `service`."""

    def name_service(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            name_service,
            describe_exception,
            keep_known_keys,
            structlog.processors.JSONRenderer(serializer=json.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # One write a line, so that the lines of several processes do not mix.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_LibraryLines()]
    root.setLevel(logging.WARNING)
    logging.getLogger("gunicorn").setLevel(level)


def _drop(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    raise structlog.DropEvent


# Commands log nothing, and least of all to standard output: a service configures its log when it starts.
structlog.configure(processors=[_drop])


def logger() -> structlog.typing.FilteringBoundLogger:
    """Return the logger; events are fixed texts, everything else goes into keys of the list above."""
    found: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return found
