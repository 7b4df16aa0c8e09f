"""Settings come from the environment, then from arguments."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from rendezvous.protocol.messages import RelayLimits
from rendezvous.settings import Settings


def test_environment_divides_lists_at_commas_and_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDAIR_RENDEZVOUS_HOST", "192.0.2.1, 2001:db8::1")
    monkeypatch.setenv("MIDAIR_RENDEZVOUS_REFLECTOR", "192.0.2.1:0 [::1]:8082")
    monkeypatch.setenv("MIDAIR_RENDEZVOUS_TRUSTED_PROXIES", "10.0.0.0/8")
    settings = Settings()
    assert settings.host == ("192.0.2.1", "2001:db8::1")
    assert settings.reflector == ("192.0.2.1:0", "[::1]:8082")
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.0/8"]


def test_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDAIR_RENDEZVOUS_PORT", "1")
    assert Settings(port=2).port == 2


def test_token_key_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDAIR_RENDEZVOUS_TOKEN_KEY", "hush" * 8)
    settings = Settings()
    assert settings.key == b"hush" * 8
    assert "hush" not in repr(settings)


def test_token_key_that_is_short_is_refused_and_not_shown() -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(token_key="hush")  # type: ignore[arg-type]
    assert refused.value.errors()[0]["loc"] == ("token_key",)


def test_reflector_without_a_port_is_refused() -> None:
    with pytest.raises(ValidationError, match="names no port"):
        Settings(reflector=("localhost",))


def test_public_reflector_with_port_0_is_refused() -> None:
    with pytest.raises(ValidationError, match="port 0 leads nowhere"):
        Settings(reflector_public=("host:0",))


def test_trusts_only_the_networks_of_its_proxies() -> None:
    settings = Settings(trusted_proxies="10.0.0.0/8 ::1/128")  # type: ignore[arg-type]
    assert settings.trusts("10.1.2.3")
    assert settings.trusts("::1")
    assert not any(settings.trusts(address) for address in ("127.0.0.1", "", "unix"))
    assert not Settings().trusts("127.0.0.1")


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]


def test_relay_is_there_without_limits_unless_the_operator_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not Settings().relay_off
    assert Settings().relay_limits == RelayLimits(octets=None, octets_per_s=None)
    monkeypatch.setenv("MIDAIR_RENDEZVOUS_RELAY_OFF", "yes")
    monkeypatch.setenv("MIDAIR_RENDEZVOUS_RELAY_OCTETS", "1000000000")
    monkeypatch.setenv("MIDAIR_RENDEZVOUS_RELAY_OCTETS_PER_S", "2000000")
    monkeypatch.setenv("MIDAIR_RENDEZVOUS_RELAY_PUBLIC", "relay.example:443")
    settings = Settings()
    assert settings.relay_off
    assert settings.relay_limits == RelayLimits(octets=1_000_000_000, octets_per_s=2_000_000)
    assert settings.relay_public == ("relay.example:443",)


def test_relay_that_nobody_could_use_is_refused() -> None:
    for field in ("relay_pairs", "relay_octets", "relay_octets_per_s", "relay_wait_s"):
        with pytest.raises(ValidationError):
            Settings.model_validate({field: 0})
