"""Signatures of deliveries: the vendors' own examples, and whatever else may stand in a header."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sygen_bot.automation.signatures import (
    MAX_ID_CHARS,
    TOLERANCE_S,
    delivery_id,
    kept_secret,
    sign,
    verify,
    verify_nothing,
)
from sygen_bot.storage.hooks import HookAuth

SECRET = "a secret, öf any letters"
BODY = b'{"id": "evt_1"}'
NOW = 1_700_000_000.0
AUTHS: tuple[HookAuth, ...] = ("bearer", "github", "stripe")

each_auth = pytest.mark.parametrize("auth", AUTHS)


def opens(
    auth: HookAuth, headers: dict[str, str], body: bytes = BODY, *, now: float = NOW, secret: str = SECRET
) -> bool:
    return verify(auth, kept_secret(auth, secret), headers, body, now=now)


def stripe(moment: object, *signatures: str, scheme: str = "v1") -> dict[str, str]:
    return {"stripe-signature": ",".join([f"t={moment}", *(f"{scheme}={one}" for one in signatures)])}


def stripe_mac(moment: object, body: bytes = BODY, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()


def test_the_example_of_githubs_documentation_is_right() -> None:
    digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    secret, body = "It's a Secret to Everybody", b"Hello, World!"
    assert opens("github", {"x-hub-signature-256": f"sha256={digest}"}, body, secret=secret)
    assert sign("github", secret, body, now=NOW, delivery_id="1") == {
        "x-hub-signature-256": f"sha256={digest}",
        "x-github-delivery": "1",
    }


def test_stripes_signature_is_over_the_time_a_dot_and_the_body() -> None:
    """Worked out by hand: HMAC-SHA256 of `1492774577.{"a":1}` with the key `whsec_test`."""
    wanted = hmac.new(b"whsec_test", b'1492774577.{"a":1}', hashlib.sha256).hexdigest()
    assert sign("stripe", "whsec_test", b'{"a":1}', now=1492774577.9) == stripe(1492774577, wanted)
    assert opens("stripe", stripe(1492774577, wanted), b'{"a":1}', now=1492774577, secret="whsec_test")


@each_auth
def test_what_is_signed_opens_and_nothing_else_does(auth: HookAuth) -> None:
    headers = sign(auth, SECRET, BODY, now=NOW)
    assert opens(auth, headers)
    assert not opens(auth, headers, secret=SECRET + "x")
    assert not opens(auth, {})
    assert not opens(auth, dict.fromkeys(headers, ""))
    assert opens(auth, headers, BODY + b" ") == (auth == "bearer"), "a token says nothing of the body"
    for other in AUTHS:
        assert opens(other, headers) == (other == auth)


def test_of_a_token_only_the_digest_is_kept() -> None:
    assert SECRET not in kept_secret("bearer", SECRET)
    assert not verify("bearer", SECRET, sign("bearer", SECRET, BODY, now=NOW), BODY, now=NOW)
    assert not opens("bearer", {"authorization": f"Bearer {kept_secret('bearer', SECRET)}"}), "it is no token itself"


def test_the_scheme_of_a_token_may_be_spelled_in_any_case() -> None:
    token = sign("bearer", SECRET, BODY, now=NOW)["authorization"].removeprefix("Bearer ")
    assert opens("bearer", {"authorization": f"bEARER  {token}"})
    for wrong in (token, f"Basic {token}", f"Bearer{token}", f"Bearer {token}x", "Bearer", "Bearer "):
        assert not opens("bearer", {"authorization": wrong})


@pytest.mark.parametrize("prefix", ["", "sha1=", "SHA256=", "sha256:", "sha256==", " sha256="])
def test_only_sha256_is_githubs(prefix: str) -> None:
    digest = sign("github", SECRET, BODY, now=NOW)["x-hub-signature-256"].removeprefix("sha256=")
    assert not opens("github", {"x-hub-signature-256": prefix + digest})
    assert opens("github", {"x-hub-signature-256": f"sha256={digest.upper()}"})


@pytest.mark.parametrize("late_s", [-TOLERANCE_S, 0, TOLERANCE_S])
def test_a_stripe_signature_is_right_for_five_minutes_either_way(late_s: float) -> None:
    headers = sign("stripe", SECRET, BODY, now=NOW)
    assert opens("stripe", headers, now=NOW + late_s)
    assert not opens("stripe", headers, now=NOW + late_s + (1 if late_s >= 0 else -1) * (TOLERANCE_S + 1))


def test_one_right_signature_among_several_is_enough() -> None:
    """Stripe sends two for a day after a secret was rotated."""
    right, wrong = stripe_mac(int(NOW)), stripe_mac(int(NOW), secret="old")
    assert opens("stripe", stripe(int(NOW), wrong, right))
    assert opens("stripe", stripe(int(NOW), right, wrong))
    assert not opens("stripe", stripe(int(NOW), wrong, wrong))
    assert not opens("stripe", stripe(int(NOW), right, scheme="v0"))
    assert not opens("stripe", stripe(int(NOW), *[wrong] * 500, right)), "a header does not make us work for ever"


@pytest.mark.parametrize(
    "moment", ["", "now", "-1", "1e9", "١٧٠٠٠٠٠٠٠٠", "17_00", "9" * 5000, "1700000000.0", " 1700000000"]
)
def test_a_time_that_is_none_is_refused_even_if_it_is_signed(moment: str) -> None:
    assert not opens("stripe", stripe(moment, stripe_mac(moment)))


def test_two_times_are_refused() -> None:
    right = stripe_mac(int(NOW))
    assert not opens("stripe", {"stripe-signature": f"t={int(NOW)},t={int(NOW)},v1={right}"})


@given(st.sampled_from(AUTHS), st.text(max_size=300), st.binary(max_size=50))
def test_no_header_whatever_opens_or_raises(auth: HookAuth, header: str, body: bytes) -> None:
    names = ("authorization", "x-hub-signature-256", "stripe-signature")
    for shaped in (
        header,
        f"Bearer {header}",
        f"sha256={header}",
        f"t={int(NOW)},v1={header}",
        f"t={header},v1={header}",
    ):
        headers = dict.fromkeys(names, shaped)
        assert not opens(auth, headers, body)
        verify_nothing(headers, body, now=NOW)
        assert delivery_id(auth, headers, {"id": header}) or auth != "stripe"


@given(st.text(min_size=1, max_size=50), st.binary(max_size=200), st.floats(0, 4e9))
def test_any_secret_signs_any_body(secret: str, body: bytes, now: float) -> None:
    stripped = secret.strip(" \t")
    for auth in AUTHS:
        if auth != "bearer" or stripped == secret:
            assert opens(auth, sign(auth, secret, body, now=now), body, now=now, secret=secret)


def test_each_sender_names_its_deliveries_in_its_own_way() -> None:
    assert delivery_id("bearer", {"x-delivery-id": "a", "idempotency-key": "b"}, {"id": "c"}) == "a"
    assert delivery_id("bearer", {"x-delivery-id": " ", "idempotency-key": " b "}, None) == "b"
    assert delivery_id("bearer", {}, {"id": "c"}) is None
    assert delivery_id("github", {"x-github-delivery": "guid", "x-delivery-id": "a"}, {"id": "c"}) == "guid"
    assert delivery_id("stripe", {"x-delivery-id": "a"}, {"id": "evt_1"}) == "evt_1"


def test_an_event_of_stripe_without_an_id_is_named_by_its_signature() -> None:
    one, other = stripe(1, "a"), stripe(2, "b")
    for payload in (None, {}, {"id": 5}, {"id": ""}):
        assert delivery_id("stripe", one, payload) == delivery_id("stripe", one, None)
        assert delivery_id("stripe", one, payload) != delivery_id("stripe", other, payload)


@given(st.text(min_size=1))
def test_a_name_can_be_kept_whatever_it_is(name: str) -> None:
    for given_name in (name, name * 300):
        kept = delivery_id("stripe", {}, {"id": given_name})
        assert kept
        assert len(kept) <= MAX_ID_CHARS
        kept.encode()
        assert "\0" not in kept
