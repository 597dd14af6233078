"""The catalogue of engine messages is read strictly, and its rules do what their names say."""

from pathlib import Path

import msgspec
import pytest

from waggle.errors import BadSettings
from waggle.resources import shipped
from waggle.services.catalogue import Entry, EntryRule, Receiver, load_catalogue

MESSAGE = 'description = "d"\nevent_type = "cart-updated"\nkind = "start"\ntime_to_live_s = 1\n'
START = '[[cart-updated.starts]]\njourney = "{}"\nbusiness_key = ["cart_id"]\n'
END = '[[cart-updated.ends]]\njourney = "c"\nscope = "customer"\ncustomer = "customer_id"\n'


def test_the_shipped_catalogue_names_what_each_event_causes() -> None:
    catalogue = load_catalogue(shipped("bpmn"))

    caused = {name for event_type in ("cart-updated", "order-placed") for name, _ in catalogue.caused_by(event_type)}
    assert {"cart-updated", "order-placed"} <= caused
    assert {name for name, _ in catalogue.caused_by("privacy-request-opened")} == {
        "erasure-requested",
        "access-requested",
        "rectification-requested",
        "objection-requested",
    }
    assert [name for name, _ in catalogue.caused_by("product-updated")] == ["price-changed"]
    assert {"enrolment_id", "request_id"} <= catalogue.variables
    assert catalogue.caused_by("page-viewed") == []


def test_the_journeys_that_advertise_are_those_that_end_when_somebody_wants_no_more_of_it() -> None:
    advertising = load_catalogue(shipped("bpmn")).advertising

    assert {"abandoned-cart", "back-in-stock", "birthday"} <= advertising
    assert advertising.isdisjoint({"double-opt-in", "customer-erasure"})


def test_which_journeys_an_event_may_enter_is_told() -> None:
    catalogue = load_catalogue(shipped("bpmn"))

    assert catalogue.starting_on("birthday-approaching") == {"birthday"}
    assert catalogue.starting_on("page-viewed") == frozenset()


@pytest.mark.parametrize(
    ("rule", "value", "holding", "breaking"),
    [
        ("present", None, [0, "", []], [None]),
        ("absent", None, [None], [0, "", []]),
        ("empty", None, [None, "", []], [[0], "x"]),
        ("not_empty", None, [[0], "x"], [None, "", []]),
        ("equals", "a", ["a"], [None, "b"]),
        ("at_least", 3, [3, 4], [2, None, "4"]),
        ("at_most", 3, [3, 2], [4, None, "2"]),
    ],
)
def test_a_rule_holds_or_not(rule: str, value: str | int | None, holding: list[object], breaking: list[object]) -> None:
    asked = msgspec.convert({"field": "f", "rule": rule, "value": value}, EntryRule)

    assert [asked.holds({"f": found}) for found in holding] == [True] * len(holding)
    assert [asked.holds({"f": found}) for found in breaking] == [False] * len(breaking)


def test_a_business_key_of_several_fields_needs_all_of_them() -> None:
    entry = Entry(journey="j", business_key=["customer_id", "sku"])

    assert entry.key_in({"customer_id": "c-1", "sku": "honey"}) == "c-1:honey"
    assert entry.key_in({"customer_id": "c-1"}) is None
    assert Receiver(journey="j", scope="customer").key_in({"customer_id": "c-1"}) is None


@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        ("[cart-updated]\n" + MESSAGE.replace("start", "begin"), "CATALOGUE_WRONG", "[cart-updated]"),
        ("[cart-updated]\n" + MESSAGE + "ttl = 1\n", "CATALOGUE_WRONG", "ttl"),
        ("[cart-updated]\n", "CATALOGUE_WRONG", "description"),
        ("[cart-updated]\n" + MESSAGE + START.format("a") + START.format("b"), "CATALOGUE_WRONG", "a, b all at once"),
        ("[cart-updated]\n" + MESSAGE + START.format("a") + END, "CATALOGUE_WRONG", "start it again for everyone"),
        ("[cart-updated]\n" + MESSAGE + END + 'at_most = "quantity"\n', "CATALOGUE_WRONG", "at_most"),
        ("[cart-updated\n", "CATALOGUE_UNREADABLE", "engine-messages.toml"),
        (None, "CATALOGUE_UNREADABLE", "engine-messages.toml"),
    ],
)
def test_a_mistake_in_the_catalogue_is_named(tmp_path: Path, text: str | None, code: str, named: str) -> None:
    if text is not None:
        (tmp_path / "engine-messages.toml").write_text(text, encoding="utf-8")

    with pytest.raises(BadSettings, match=code) as error:
        load_catalogue(tmp_path)

    assert named in error.value.message
