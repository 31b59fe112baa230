"""Which authorities a server's certificate may come from."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path

from rotators.errors import UntrustedServer

# The roots of RDS and the public ones, written into the package by a function's build. A source
# checkout has none.
BUNDLE = Path(__file__).with_name("authorities.pem")

# Amazon Linux (and so Lambda), Debian, Alpine. OpenSSL's own default comes first; a driver that
# carries an OpenSSL of its own does not find the runtime's authorities by itself.
_USUAL = (
    "/etc/pki/tls/cert.pem",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/cert.pem",
)

# Both ways out of "the server's certificate is not trusted", for whichever engine meets it.
CURE = (
    "Build the authority that issued the server's certificate into the function (make deploy"
    " RDS_CA_BUNDLE=…), or set ROTATION_CA_BUNDLE to a PEM file that has it; or, to give up"
    ' encryption, store "ssl": false in the secret.'
)


def authorities(configured: Path | None) -> Path:
    """The PEM file to verify servers with: ``configured``, the build's own, or the machine's.

    Raises UntrustedServer where there is none.
    """
    if configured is not None:
        return configured
    for candidate in (BUNDLE, ssl.get_default_verify_paths().cafile, *_USUAL):
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    raise UntrustedServer("this machine has no file of trusted authorities", CURE)


def context(configured: Path | None) -> ssl.SSLContext:
    """For drivers that use Python's TLS: verifies host name and chain. As ``authorities``."""
    return _context(authorities(configured))


@lru_cache(maxsize=4)  # reading the authorities takes longer than a login
def _context(authorities_file: Path) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=authorities_file)
    # Python 3.13 also refuses certificates that lack what no other client asks for.
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return made
