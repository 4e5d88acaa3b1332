"""Signatures on requests and responses: what the profile asks for passes, every deviation is refused."""

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import http_message_signatures
import http_sf
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto.signatures import SigningKey, key_id
from wire.http_signatures import (
    RequestParts,
    SignatureRefused,
    sign_request,
    sign_response,
    verify_request,
    verify_response,
)

SEED = b"\x07" * 32
KEY = SigningKey(SEED)
KEY_ID = key_id(KEY.public_key).hex()
SERVER = SigningKey(b"\x08" * 32)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CREATED = int(NOW.timestamp())
URI = "https://broker.example.org/v1/alerts?limit=5"
BODY = b'{"a":1}'
NONCE = "AAECAwQFBgcICQoLDA0ODw"
COVERED = '("@method" "@target-uri" "content-type" "content-digest")'
PARAMETERS = f';created={CREATED};keyid="bank-a/{KEY_ID}";nonce="{NONCE}";tag="crosslight-v1"'


def find_key(party_id: str, key_id_hex: str) -> bytes | None:
    return KEY.public_key if (party_id, key_id_hex) == ("bank-a", KEY_ID) else None


def digest(body: bytes, name: str = "sha-256") -> str:
    return f"{name}=:{base64.b64encode(hashlib.new(name.replace('-', ''), body).digest()).decode()}:"


def by_hand(
    covered: str = COVERED,
    parameters: str = PARAMETERS,
    *,
    body: bytes = BODY,
    label: str = "sig1",
    content_digest: str | None = None,
    content_type: str = "application/json",
    key: SigningKey = KEY,
) -> RequestParts:
    """A request whose signature base is written out here, as RFC 9421 section 2.5 says, without the library."""
    values = {
        '"@method"': "POST",
        '"@target-uri"': URI,
        '"@authority"': "broker.example.org",
        '"content-type"': content_type,
        '"content-digest"': content_digest or digest(body),
        '"date"': "Sun, 01 Mar 2026 12:00:00 GMT",
    }
    names = covered.strip("()").split()
    base = "".join(f"{name}: {values[name]}\n" for name in names if name in values)
    base += f'"@signature-params": {covered}{parameters}'
    signature = base64.b64encode(key.sign(base.encode())).decode()
    return RequestParts(
        "POST",
        URI,
        (
            ("Content-Type", values['"content-type"']),
            ("Content-Digest", values['"content-digest"']),
            ("Date", values['"date"']),
            ("Signature-Input", f"{label}={covered}{parameters}"),
            ("Signature", f"{label}=:{signature}:"),
        ),
    )


def refused(request: RequestParts, body: bytes = BODY, now: datetime = NOW) -> str:
    with pytest.raises(SignatureRefused) as caught:
        verify_request(request, body, now, find_key)
    return caught.value.code


def test_a_request_signed_by_hand_from_the_rfcs_text_is_accepted() -> None:
    parameters = verify_request(by_hand(), BODY, NOW, find_key)
    assert (parameters.party_id, parameters.key_id, parameters.created) == ("bank-a", KEY_ID, CREATED)
    assert parameters.nonce == bytes(range(16))


def test_a_request_signed_here_is_accepted_with_and_without_content() -> None:
    for body in (b"", BODY):
        headers = sign_request(KEY, "bank-a", "PUT", URI, body, NOW)
        assert [name for name, _ in headers] == ["Content-Type", "Content-Digest", "Signature-Input", "Signature"]
        verify_request(RequestParts("PUT", URI, tuple(headers)), body, NOW, find_key)


def test_the_librarys_own_ed25519_accepts_what_is_signed_here() -> None:
    class Keys(http_message_signatures.HTTPSignatureKeyResolver):
        def resolve_public_key(self, key_id: str) -> Ed25519PublicKey:
            return Ed25519PublicKey.from_public_bytes(KEY.public_key)

    class Message:
        method, url = "POST", URI
        headers = dict(sign_request(KEY, "bank-a", "POST", URI, BODY, datetime.now(UTC)))

    verifier = http_message_signatures.HTTPMessageVerifier(
        signature_algorithm=http_message_signatures.algorithms.ED25519, key_resolver=Keys()
    )
    results = verifier.verify(Message(), expect_tag="crosslight-v1", body=BODY)
    assert results[0].label == "sig1"
    assert Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw() == KEY.public_key


def test_each_request_has_a_nonce_of_its_own() -> None:
    nonces = {dict(sign_request(KEY, "bank-a", "GET", URI, b"", NOW))["Signature-Input"] for _ in range(5)}
    assert len(nonces) == 5


@pytest.mark.parametrize(
    "covered",
    [
        '("@method" "@target-uri" "content-type")',
        '("@method" "@target-uri" "content-digest")',
        '("@method" "content-type" "content-digest")',
        '("@target-uri" "content-type" "content-digest")',
        '("@method" "@target-uri" "content-type" "content-digest" "date")',
        '("@method" "@authority" "content-type" "content-digest")',
        '("@method" "@method" "@target-uri" "content-type" "content-digest")',
        "()",
    ],
)
def test_anything_but_exactly_the_four_components_is_refused(covered: str) -> None:
    assert refused(by_hand(covered)) == "signature-malformed"


def test_components_in_another_order_are_accepted() -> None:
    verify_request(by_hand('("content-digest" "content-type" "@target-uri" "@method")'), BODY, NOW, find_key)


@pytest.mark.parametrize(
    "parameters",
    [
        PARAMETERS + ';alg="ed25519"',
        PARAMETERS + f";expires={CREATED + 60}",
        PARAMETERS + ";x=1",
        PARAMETERS.replace(f";created={CREATED}", ""),
        PARAMETERS.replace(f';nonce="{NONCE}"', ""),
        PARAMETERS.replace(';tag="crosslight-v1"', ""),
        PARAMETERS.replace("crosslight-v1", "crosslight-v2"),
        PARAMETERS.replace(f"created={CREATED}", f"created={CREATED}.0"),
        PARAMETERS.replace(f"created={CREATED}", f'created="{CREATED}"'),
        PARAMETERS.replace(f"created={CREATED}", "created=-1"),
        PARAMETERS.replace(f"created={CREATED}", "created"),
        PARAMETERS.replace(NONCE, NONCE[:-1]),
        PARAMETERS.replace(NONCE, NONCE[:-1] + "x"),
        PARAMETERS.replace(NONCE, NONCE + "=="),
        PARAMETERS.replace(f'"{NONCE}"', f":{base64.b64encode(bytes(16)).decode()}:"),
        PARAMETERS.replace(KEY_ID, KEY_ID.upper()) if KEY_ID.upper() != KEY_ID else PARAMETERS + ";x",
        PARAMETERS.replace("bank-a/", "Bank-A/"),
        PARAMETERS.replace("bank-a/", ""),
        PARAMETERS.replace("bank-a/", "bank-a/x/"),
        PARAMETERS.replace("keyid=", "keyid=x;y="),
    ],
)
def test_anything_but_exactly_the_four_parameters_in_their_form_is_refused(parameters: str) -> None:
    assert refused(by_hand(parameters=parameters)) == "signature-malformed"


def test_another_label_or_a_second_signature_is_refused() -> None:
    assert refused(by_hand(label="sig2")) == "signature-malformed"
    request = by_hand()
    doubled = tuple(
        (name, f"{value}, {value.replace('sig1', 'sig2')}" if name.startswith("Signature") else value)
        for name, value in request.headers
    )
    assert refused(replace(request, headers=doubled)) == "signature-malformed"
    assert refused(replace(request, headers=(*request.headers, request.headers[-1]))) == "signature-malformed"


def test_a_second_signature_under_another_tag_is_not_ignored() -> None:
    request = by_hand()
    headers = dict(request.headers)
    headers["Signature-Input"] += f', sig2=("date");created={CREATED};keyid="x";tag="other"'
    headers["Signature"] += ", sig2=:AAAA:"
    assert refused(replace(request, headers=tuple(headers.items()))) == "signature-malformed"


@pytest.mark.parametrize("name", ["Content-Type", "Content-Digest", "Signature-Input", "Signature"])
def test_a_header_that_is_missing_or_repeated_is_refused(name: str) -> None:
    request = by_hand()
    without = tuple(line for line in request.headers if line[0] != name)
    repeated = (*request.headers, *(line for line in request.headers if line[0] == name))
    assert refused(replace(request, headers=without)) in {"signature-malformed", "signature-missing"}
    assert refused(replace(request, headers=repeated)) == "signature-malformed"


def test_loose_bits_after_the_signatures_last_byte_are_refused() -> None:
    request = by_hand()
    headers = dict(request.headers)
    *start, last = headers["Signature"].removesuffix("==:")
    headers["Signature"] = "".join(start) + chr(ord(last) + 1) + "==:"
    assert refused(replace(request, headers=tuple(headers.items()))) == "signature-malformed"


def test_an_unsigned_request_is_told_so() -> None:
    assert refused(RequestParts("GET", URI, ())) == "signature-missing"


def test_a_changed_method_target_host_body_or_type_is_refused() -> None:
    request = by_hand()
    assert refused(replace(request, method="PUT")) == "signature-invalid"
    assert refused(replace(request, target_uri=URI.replace("limit=5", "limit=6"))) == "signature-invalid"
    assert refused(replace(request, target_uri=URI.replace("broker", "holder1"))) == "signature-invalid"
    assert refused(replace(request, target_uri=URI.replace("https", "http"))) == "signature-invalid"
    assert refused(request, body=b'{"a":2}') == "digest-mismatch"
    assert refused(request, body=b"") == "digest-mismatch"
    assert refused(by_hand(content_type="text/plain")) == "signature-malformed"


@pytest.mark.parametrize("value", [digest(b""), "sha-256=:AAAA:", "md5=:AAAAAAAAAAAAAAAAAAAAAA==:", "sha-256", "x", ""])
def test_a_signed_digest_that_is_not_of_this_content_is_refused(value: str) -> None:
    assert refused(by_hand(content_digest=value or " ")) in {"digest-mismatch", "signature-invalid"}


def test_every_member_of_the_digest_must_hold() -> None:
    good = by_hand(content_digest=f"{digest(BODY)}, {digest(BODY, 'sha-512')}")
    verify_request(good, BODY, NOW, find_key)
    assert refused(by_hand(content_digest=f"{digest(BODY)}, {digest(b'', 'sha-512')}")) == "digest-mismatch"


def test_the_window_is_300_seconds_back_and_60_ahead_by_the_injected_clock() -> None:
    request = by_hand()
    for offset in (-60, 0, 300):
        verify_request(request, BODY, datetime.fromtimestamp(CREATED + offset, UTC), find_key)
    for offset in (-61, 301, 86400):
        assert refused(request, now=datetime.fromtimestamp(CREATED + offset, UTC)) == "signature-expired"


def test_an_unknown_key_and_a_key_that_is_not_the_one_named_are_refused() -> None:
    other = SigningKey(b"\x09" * 32)
    assert refused(by_hand(parameters=PARAMETERS.replace("bank-a", "bank-b"))) == "unknown-key"
    assert refused(by_hand(key=other)) == "signature-invalid"
    with pytest.raises(SignatureRefused) as caught:
        verify_request(by_hand(), BODY, NOW, lambda party_id, key_id_hex: other.public_key)
    assert caught.value.code == "unknown-key"


def test_the_identity_key_that_openssl_accepts_for_any_message_is_refused() -> None:
    identity = b"\x01" + bytes(31)
    parameters = PARAMETERS.replace(KEY_ID, key_id(identity).hex())
    request = by_hand(parameters=parameters)
    forged = base64.b64encode(identity + bytes(32)).decode()
    headers = tuple((n, f"sig1=:{forged}:" if n == "Signature" else v) for n, v in request.headers)
    with pytest.raises(SignatureRefused) as caught:
        verify_request(replace(request, headers=headers), BODY, NOW, lambda party_id, key_id_hex: identity)
    assert caught.value.code == "signature-invalid"


def test_content_is_not_read_before_the_signature_holds() -> None:
    def never() -> bytes:
        raise AssertionError("read")

    for request in (RequestParts("POST", URI, ()), replace(by_hand(), method="PUT"), by_hand(label="x")):
        with pytest.raises(SignatureRefused):
            verify_request(request, never, NOW, find_key)


REQUEST = RequestParts("POST", URI, tuple(sign_request(KEY, "bank-a", "POST", URI, BODY, NOW)))


def answer(status: int = 200, body: bytes = b"{}", request: RequestParts = REQUEST) -> list[tuple[str, str]]:
    return sign_response(SERVER, "broker", status, body, request, NOW)


def test_a_response_is_accepted_for_its_own_request_only() -> None:
    verify_response(200, answer(), b"{}", REQUEST, "broker", SERVER.public_key)
    again = RequestParts("POST", URI, tuple(sign_request(KEY, "bank-a", "POST", URI, BODY, NOW)))
    for other in (again, replace(REQUEST, method="PUT"), replace(REQUEST, target_uri=URI + "0")):
        with pytest.raises(SignatureRefused):
            verify_response(200, answer(), b"{}", other, "broker", SERVER.public_key)


def test_a_response_with_another_status_body_party_or_key_is_refused() -> None:
    for status, body, party, key in (
        (201, b"{}", "broker", SERVER.public_key),
        (200, b"{ }", "broker", SERVER.public_key),
        (200, b"", "broker", SERVER.public_key),
        (200, b"{}", "holder1", SERVER.public_key),
        (200, b"{}", "broker", KEY.public_key),
    ):
        with pytest.raises(SignatureRefused):
            verify_response(status, answer(), body, REQUEST, party, key)


def test_a_response_that_does_not_cover_the_requests_signature_is_refused() -> None:
    unsigned = RequestParts("POST", URI, ())
    assert "signature" not in dict(answer(request=unsigned))["Signature-Input"]
    with pytest.raises(SignatureRefused):
        verify_response(200, answer(request=unsigned), b"{}", REQUEST, "broker", SERVER.public_key)


def test_an_unsigned_response_is_refused() -> None:
    with pytest.raises(SignatureRefused):
        verify_response(200, [], b"{}", REQUEST, "broker", SERVER.public_key)


def test_headers_are_structured_fields_as_another_parser_reads_them() -> None:
    headers = dict(answer())
    members, parameters = http_sf.parse(headers["Signature-Input"].encode(), tltype="dictionary")["sig1"]
    assert [name for name, _ in members] == ["@status", "content-digest", "@method", "@target-uri", "signature"]
    assert set(parameters) == {"created", "keyid", "nonce", "tag"}
