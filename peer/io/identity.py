"""Who this peer is in one session: a key and a certificate, made now, never kept.

Not for knowing who the partner is: the partner's certificate is compared with what the
appointment brought, and both ends prove the key afterwards. A certificate here is only a name
for a public key, so it says nothing of its owner and is valid at any clock.

The private key never touches a disk. ``ssl`` takes a path only, so it is given ``/dev/fd/N`` of a
pipe that holds the key: each pipe is opened once and read to its end, and nothing is left.

Reference: RFC 8446 (TLS 1.3), RFC 5280 §4.1.2.5 (validity), FACTS: no session tickets.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Self

from cryptography import x509
from cryptography.hazmat.backends import default_backend
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

default_backend()  # else the first signature of a process loads it

NOT_BEFORE = datetime(1990, 1, 1, tzinfo=UTC)
"""Far in the past: users' clocks are wrong by years at times, and validity is no secret of ours."""
NOT_AFTER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""RFC 5280 §4.1.2.5: "has no well-defined expiration date"."""
PIPE_MOST = 4096
"""Bytes that a pipe takes without a reader, at least (POSIX, PIPE_BUF on Linux)."""


def fingerprint(certificate: bytes) -> bytes:
    """Name a certificate.

    Args:
        certificate: DER.

    Returns:
        Its SHA-256, 32 bytes.
    """
    return sha256(certificate).digest()


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key, of one session; made by :meth:`make`."""

    certificate: bytes
    """DER."""
    _key: bytes = field(repr=False)
    """PEM, in memory only."""

    @classmethod
    def make(cls) -> Self:
        """Make a fresh P-256 key and a certificate signed by it.

        Returns:
            An identity that shares nothing with any other.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, os.urandom(8).hex())])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOT_BEFORE)
            .not_valid_after(NOT_AFTER)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        made = cls(certificate.public_bytes(serialization.Encoding.DER), pem)
        # OpenSSL's first context takes three times as long as the next ones. Those are made when
        # a connection is up and waits for them; this one, for nothing, while nothing does.
        made.client_context(made.certificate)
        return made

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the certificate, 32 bytes."""
        return fingerprint(self.certificate)

    def server_context(self, partner: bytes) -> ssl.SSLContext:
        """Return the settings of TLS's server that takes one partner only.

        Args:
            partner: the partner's certificate, DER.

        Returns:
            A context; TLS 1.3, the client's certificate required, no tickets.

        Raises:
            ssl.SSLError: what the partner sent is no certificate.
        """
        context = self._context(ssl.PROTOCOL_TLS_SERVER, partner)
        # A ticket that nobody reads makes a close a RST, and the RST loses data: FACTS §6.
        context.num_tickets = 0
        return context

    def client_context(self, partner: bytes) -> ssl.SSLContext:
        """Return the settings of TLS's client that takes one partner only.

        Args:
            partner: the partner's certificate, DER.

        Returns:
            A context; TLS 1.3, the server's certificate required, no host name.

        Raises:
            ssl.SSLError: what the partner sent is no certificate.
        """
        return self._context(ssl.PROTOCOL_TLS_CLIENT, partner)

    def _context(self, protocol: int, partner: bytes) -> ssl.SSLContext:
        # Not create_default_context: that one honours SSLKEYLOGFILE and trusts the system's CAs.
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=partner)
        with ExitStack() as stack:
            chain = stack.enter_context(_path_of(_pem(self.certificate)))
            key = stack.enter_context(_path_of(self._key))
            context.load_cert_chain(chain, key)
        return context


def _pem(certificate: bytes) -> bytes:
    return ssl.DER_cert_to_PEM_cert(certificate).encode()


@contextmanager
def _path_of(data: bytes) -> Iterator[str]:
    """Lend a path that reads as these bytes, once, without a file."""
    assert len(data) <= PIPE_MOST
    reader, writer = os.pipe()
    try:
        try:
            os.write(writer, data)
        finally:
            os.close(writer)
        yield f"/dev/fd/{reader}"
    finally:
        os.close(reader)
