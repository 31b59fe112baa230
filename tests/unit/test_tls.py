"""Which file of authorities is used, and that it decides whom a client trusts."""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from rotators import tls
from rotators.errors import UntrustedServer

if TYPE_CHECKING:
    from rotators.testing.certificates import Certificates, KeyPair


def usual(monkeypatch: pytest.MonkeyPatch, default: Path | None, *others: Path) -> None:
    paths = SimpleNamespace(cafile=None if default is None else str(default))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    monkeypatch.setattr(tls, "_USUAL", tuple(map(str, others)))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    made = [tmp_path / name for name in ("first.pem", "second.pem", "third.pem")]
    for path in made:
        path.touch()
    return made


def test_the_configured_bundle_goes_before_all_others(
    monkeypatch: pytest.MonkeyPatch, files: list[Path]
) -> None:
    usual(monkeypatch, files[0])
    assert tls.authorities(files[1]) == files[1]


def test_the_bundle_of_the_build_goes_before_those_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, files: list[Path]
) -> None:
    usual(monkeypatch, files[0])
    monkeypatch.setattr(tls, "BUNDLE", files[1])
    assert tls.authorities(None) == files[1]
    assert tls.authorities(files[2]) == files[2]
    files[1].unlink()
    assert tls.authorities(None) == files[0]


def test_the_bundle_of_the_build_is_a_part_of_the_package() -> None:
    assert Path(tls.__file__).parent / "authorities.pem" == tls.BUNDLE
    assert not tls.BUNDLE.exists(), "a checkout is no build"


def test_the_default_of_openssl_goes_before_the_usual_places(
    monkeypatch: pytest.MonkeyPatch, files: list[Path]
) -> None:
    usual(monkeypatch, files[0], files[1])
    assert tls.authorities(None) == files[0]


def test_the_first_usual_place_that_is_a_file_is_taken(
    monkeypatch: pytest.MonkeyPatch, files: list[Path], tmp_path: Path
) -> None:
    usual(monkeypatch, None, tmp_path / "absent.pem", tmp_path, files[1], files[2])
    assert tls.authorities(None) == files[1]
    usual(monkeypatch, tmp_path / "absent.pem", files[2])
    assert tls.authorities(None) == files[2]


def test_a_machine_without_authorities_is_an_error_with_both_ways_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usual(monkeypatch, None, tmp_path / "absent.pem")
    with pytest.raises(UntrustedServer) as caught:
        tls.authorities(None)
    assert "ROTATION_CA_BUNDLE" in caught.value.cure
    assert '"ssl": false' in caught.value.cure


def test_the_usual_places_include_those_of_lambda_and_debian() -> None:
    assert "/etc/pki/tls/cert.pem" in tls._USUAL
    assert "/etc/ssl/certs/ca-certificates.crt" in tls._USUAL


def test_a_context_verifies_host_and_chain(certificates: Certificates) -> None:
    context = tls.context(certificates.ca)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    # What no other client asks for is not asked for, on no version of Python.
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert len(context.get_ca_certs()) == 1


def test_a_context_is_read_from_disk_once(certificates: Certificates) -> None:
    assert tls.context(certificates.ca) is tls.context(certificates.ca)
    assert tls.context(certificates.ca) is not tls.context(certificates.unrelated_ca)


def test_a_context_without_authorities_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usual(monkeypatch, None, tmp_path / "absent.pem")
    with pytest.raises(UntrustedServer):
        tls.context(None)


def test_only_a_server_of_the_bundles_authorities_is_trusted(
    monkeypatch: pytest.MonkeyPatch, certificates: Certificates, tmp_path: Path
) -> None:
    monkeypatch.setattr(tls, "BUNDLE", tmp_path / "authorities.pem")
    tls.BUNDLE.write_text("# With a comment.\n" + certificates.ca.read_text())
    assert shakes_hands(tls.context(None), certificates.server)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shakes_hands(tls.context(None), certificates.wrong_name)
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        shakes_hands(tls.context(certificates.unrelated_ca), certificates.server)


def shakes_hands(trusting: ssl.SSLContext, server: KeyPair) -> bool:
    """Whether a client and a server of this certificate get through TLS's handshake, in memory."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(server.certificate, server.key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        trusting.wrap_bio(to_client, to_server, server_hostname="localhost"),
        serving.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(10):
        for side in list(sides):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
                sides.remove(side)
    return not sides
