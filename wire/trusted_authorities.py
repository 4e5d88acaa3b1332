"""The certificate authorities that clients trust, read once a process: reading them takes longer than many requests.

Knows files alone. A process that runs on takes up a changed file when it is started again.
"""

from functools import cache
from pathlib import Path
from ssl import SSLContext, create_default_context


@cache
def trusted_authorities(ca_file: Path | None = None) -> SSLContext:
    """The TLS context of clients that trust the authorities in `ca_file` (PEM), or else the system's."""
    return create_default_context(cafile=ca_file)
