"""Throw-away TLS material for servers on this machine; needs the extra ``testing``.

Hold every driver against all of it: the right authority, the wrong authority, the wrong name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import trustme

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class KeyPair:
    """A server's certificate and its private key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Certificates:
    """``ca`` signed ``server`` and ``wrong_name``; ``unrelated_ca`` signed nothing."""

    ca: Path
    server: KeyPair
    wrong_name: KeyPair
    unrelated_ca: Path

    @classmethod
    def create(cls, directory: Path) -> Self:
        """Writes new files into ``directory``, which is made if it is missing.

        Keys are readable by their owner only. Raises FileExistsError rather than replace a file.
        """
        directory.mkdir(parents=True, exist_ok=True)
        authority, unrelated = trustme.CA(), trustme.CA()
        # The last is what a container calls this machine.
        here = authority.issue_cert("localhost", "127.0.0.1", "::1", "host.docker.internal")
        elsewhere = authority.issue_cert("elsewhere.example")
        return cls(
            ca=_write(directory / "ca.pem", authority.cert_pem.bytes()),
            server=_write_pair(directory, "server", here),
            wrong_name=_write_pair(directory, "wrong-name", elsewhere),
            unrelated_ca=_write(directory / "unrelated-ca.pem", unrelated.cert_pem.bytes()),
        )


def _write_pair(directory: Path, name: str, leaf: trustme.LeafCert) -> KeyPair:
    chain = b"".join(certificate.bytes() for certificate in leaf.cert_chain_pems)
    return KeyPair(
        certificate=_write(directory / f"{name}.pem", chain),
        key=_write(directory / f"{name}.key", leaf.private_key_pem.bytes(), mode=0o600),
    )


def _write(path: Path, content: bytes, mode: int = 0o644) -> Path:
    path.touch(mode, exist_ok=False)
    path.write_bytes(content)
    return path
