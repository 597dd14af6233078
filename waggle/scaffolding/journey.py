"""A journey that waits, asks whether it may write, sends one mail and records what became of it."""

import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Final

import msgspec

from waggle.domain.event import FACTS, OWN_FACTS
from waggle.errors import BadSettings
from waggle.scaffolding.scaffold import Scaffold, camel, checked, filled, sentence
from waggle.services.catalogue import FILE as CATALOGUE

_SUBJECTS: Final = ("cart_id", "checkout_id", "order_id", "payment_id")
"""What a journey is about, if its event says so; else the customer."""
_SAMPLES: Final[Mapping[str, Any]] = {
    "customer_id": "c-1",
    "cart_id": "cart-1",
    "checkout_id": "checkout-1",
    "order_id": "o-1",
    "payment_id": "p-1",
    "sku": "honey",
    "currency": "EUR",
    "url": "https://shop.example/honey",
    "items": [{"sku": "honey", "name": "Honey", "quantity": 1, "unit_price_minor": 4200}],
    "starts_at": "now+P3D",
    "ends_at": "now+P9D",
    "rating": 5,
    "score": 9,
}
_EXITS: Final = {
    "consent-withdrawn": '\nwhen = [{ field = "purpose", rule = "equals", value = "marketing" }]',
    "customer-erased": "",
}


def new_journey(name: str, event_type: str, bpmn_dir: Path, config_dir: Path) -> Scaffold:
    """Return a journey that starts on events of *event_type*.

    Raises:
        BadSettings: NAME_WRONG, EVENT_UNKNOWN, or EVENT_WITHOUT_CUSTOMER, there would be nobody to write to.
    """
    words = {
        "journey-name": checked(name, "journey"),
        "Journey name": sentence(name),
        "JourneyName": camel(name),
        "journey-event": event_type,
        "journey_data": _inline(_sample(event_type)),
    }
    catalogue = bpmn_dir / CATALOGUE
    told = f'[[{{}}.ends]]\njourney = "{name}"\nscope = "customer"\ncustomer = "customer_id"{{}}\n'
    text = catalogue.read_text(encoding="utf-8")
    for message, when in _EXITS.items():
        text = with_block(text, message, told.format(message, when))
    text = f"{text.rstrip()}\n\n{_start(name, event_type)}"
    scenarios = bpmn_dir / "scenarios" / name
    return Scaffold(
        new={
            bpmn_dir / f"journeys/{name}.bpmn": filled("journey/diagram.bpmn", words),
            config_dir / f"journeys/{name}.toml": filled("journey/settings.toml", words),
            **{
                config_dir / f"messages/{name}/{file}": filled(f"journey/{file}", words)
                for file in ("message.toml", "body.mjml", "body.txt.liquid")
            },
            **{
                scenarios / f"{file}.toml": filled(f"journey/{file}.toml", words)
                for file in ("sent", "not-eligible", "withdrawn", "erased", "gaps")
            },
        },
        changed={catalogue: text},
        next_steps=(
            f"write what it says: {config_dir / 'messages' / name}",
            "waggle templates     so that Modeler offers its start and its message",
            f"open {bpmn_dir / 'journeys' / name}.bpmn in Camunda Modeler: docs/howto-journey.md",
            f"waggle check; waggle simulate {name}",
            f"set enabled = true in {config_dir / 'journeys' / name}.toml, then waggle deploy",
        ),
    )


def with_block(text: str, message: str, block: str) -> str:
    """Return a catalogue with *block* behind everything that it says of *message*; at its end, if that is nothing."""
    headers = list(re.finditer(r"^\[\[?([a-z0-9-]+)", text, re.MULTILINE))
    own = [place for place, found in enumerate(headers) if found[1] == message]
    if not own or own[-1] + 1 == len(headers):
        return f"{text.rstrip()}\n\n{block}"
    before = text[: headers[own[-1] + 1].start()].rstrip("\n")
    # A comment above the next header belongs to that.
    lines = before.split("\n")
    while lines and lines[-1].startswith("#"):
        lines.pop()
    kept = "\n".join(lines).rstrip()
    return f"{kept}\n\n{block}\n{text[len(kept) :].lstrip()}"


def _start(name: str, event_type: str) -> str:
    keys = ", ".join(f'"{key}"' for key in _business_key(event_type))
    return (
        f"[{name}-begun]\n"
        f'description = "What has to be followed up: {event_type}."\n'
        f'event_type = "{event_type}"\n'
        'kind = "start"\n'
        "time_to_live_s = 600\n"
        "variables = []\n\n"
        f"[[{name}-begun.starts]]\n"
        f'journey = "{name}"\n'
        f"business_key = [{keys}]\n"
        'customer = "customer_id"\n'
    )


def _business_key(event_type: str) -> list[str]:
    named = _fields(event_type)
    subject = next((key for key in _SUBJECTS if named.get(key)), None)
    if subject is not None:
        return [subject]
    if "customer_id" not in named:
        raise BadSettings("EVENT_WITHOUT_CUSTOMER", f"{event_type} names no customer: there is nobody to write to")
    return ["customer_id", "sku"] if named.get("sku") else ["customer_id"]


def _fields(event_type: str) -> dict[str, bool]:
    """Return the fields of an event, and whether each must be there.

    Raises:
        BadSettings: EVENT_UNKNOWN.
    """
    known = sorted(FACTS.keys() - OWN_FACTS)
    if event_type not in known:
        raise BadSettings("EVENT_UNKNOWN", f"{event_type!r} is none of: {', '.join(known)}")
    return {
        each.name: each.default is MISSING and each.default_factory is MISSING for each in fields(FACTS[event_type])
    }


def _sample(event_type: str) -> dict[str, Any]:
    """Return the data of one such event about the shopper of scenarios."""
    _business_key(event_type)
    kinds = {each.name: each.type for each in fields(FACTS[event_type])}
    needed = [name for name, required in _fields(event_type).items() if required or name == "customer_id"]
    return {name: _SAMPLES.get(name, 4200 if kinds[name] in (int, "int") else "honey") for name in needed}


def _inline(value: Any) -> str:  # noqa: ANN401 -- whatever TOML can hold on one line
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_inline(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return msgspec.json.encode(value).decode()
