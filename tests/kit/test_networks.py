"""Addresses and the networks they lie in."""

import pytest

from app.kit.networks import is_within, network_of, read_networks


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("113.250.7.9", "113.250.7.9"),
        ("::ffff:113.250.7.9", "113.250.7.9"),
        ("2001:da8:1:2:3:4:5:6", "2001:da8:1:2::"),
        ("testclient", "testclient"),
    ],
)
def test_a_household_is_one_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_networks_are_read_from_a_list_and_looked_into() -> None:
    known = read_networks(" 10.8.0.0/16, 2001:db8::/32,192.0.2.7 ,")
    assert [is_within(each, known) for each in ("10.8.3.4", "::ffff:10.8.3.4", "192.0.2.7", "2001:db8::1")] == [
        True
    ] * 4
    assert not is_within("10.9.0.1", known)
    assert not is_within("testclient", known)
    with pytest.raises(ValueError, match="does not appear"):
        read_networks("10.8.0.0/16,here")
