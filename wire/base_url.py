"""The scheme and host under which a service is known, in one spelling: what the target URI of a signature begins with.

Never taken from a request; always from settings or from the agreement.
"""

import re
from urllib.parse import urlsplit

from runtime.exits import ExitCode, UserError

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")


def normalise_base_url(url: str) -> str:
    """Return scheme://host[:port] in lower case, without a default port or a final slash.

    Raises UserError (exit code 4) for anything with credentials, path, query or fragment.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused(url) from None
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    if (
        parts.scheme not in _PORTS
        or not _HOST.fullmatch(host)
        or "@" in parts.netloc
        or parts.path not in ("", "/")
        or "?" in url
        or "#" in url
    ):
        raise _refused(url)
    suffix = "" if port is None or port == _PORTS[parts.scheme] else f":{port}"
    return f"{parts.scheme}://{host}{suffix}"


def _refused(url: str) -> UserError:
    return UserError(
        f"The address {url[:200]!r} is not a scheme and a host such as https://broker.example.org.",
        ExitCode.DOCUMENTS_REFUSED,
    )


def target_uri(base_url: str, raw_target: str) -> str:
    """Return the full URI of a request: `raw_target` is the path with query as it stood in the request line."""
    return base_url + raw_target
