"""Turn a message's template and one shopper's data into subject, text and HTML.

A template is a folder `config/messages/<name>/`: message.toml, body.mjml and body.txt.liquid; `shared/*.mjml` may be
included. When it is loaded, MJML becomes HTML and everything is checked, so that no shopper meets a broken template;
Liquid then fills in the data.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache, lru_cache
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal
from xml.etree import ElementTree as ET

import mrml
import msgspec
from liquid import BoundTemplate, Environment, StrictUndefined
from liquid.exceptions import LiquidError

from waggle.domain.privacy import LinkKind
from waggle.errors import BadSettings, PermanentFailure


@dataclass(frozen=True, slots=True)
class MessageItem:
    """One line of the cart."""

    name: str
    quantity: int
    unit_price_minor: int
    price: str
    """What the whole line costs, formatted, so that the lines add up to the total."""
    image_url: str | None
    """Shown only if it is an http or https address; a tile with the initial stands in for it."""
    url: str | None
    """Where the product is found; linked only if it is an http or https address."""


@dataclass(frozen=True, slots=True)
class MessageCoupon:
    """The offer that goes along."""

    code: str
    percent: int
    expires_on: str
    """The last day it is worth something, as the shopper reads it: `3 December 2026`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageOrder:
    """The order that the message is about."""

    number: str
    items: tuple[MessageItem, ...]
    total: str
    """Formatted."""
    placed_on: str
    """The day as the shopper reads it: `3 December 2026`."""
    url: str
    """Where the shopper goes on: the cart or checkout that it came from, else the shop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageProduct:
    """The product that the message is about."""

    name: str
    price: str | None
    """What one costs now, formatted; None if nobody said."""
    url: str
    """Its page, else the shop."""
    image_url: str | None = None
    """As for items."""
    was_price: str | None = None
    """What it cost when the shopper began to watch it, formatted; None unless it costs less now."""


@dataclass(frozen=True, slots=True)
class MessageLoyalty:
    """Where a member of the loyalty programme stands."""

    points: int
    tier: str
    """As config/loyalty.toml calls it, with a capital."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageContext:
    """All that a template may speak of; the field names are the variables in the templates."""

    shop_name: str
    shop_address: str
    """Postal address of the sender, one line."""
    first_name: str | None
    items: tuple[MessageItem, ...]
    total: str
    """Formatted."""
    currency: str
    cart_url: str
    coupon: MessageCoupon | None
    unsubscribe_url: str
    language: str
    preferences_url: str = ""
    """Where the shopper sees what is held about them, and changes it."""
    action_url: str = ""
    """What the message is about: a link that does it once; empty where the declaration names no `action`."""
    order: MessageOrder | None = None
    product: MessageProduct | None = None
    loyalty: MessageLoyalty | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """One message ready to be addressed. `subject` is a single line."""

    subject: str
    text: str
    html: str


class MessageDeclaration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What message.toml says."""

    subject: str
    preheader: str
    """What the inbox shows after the subject; `{{ preheader }}` in body.mjml."""
    documentation: str
    purpose: str = "marketing"
    """The consent it needs; `marketing` must offer to unsubscribe."""
    channel: str = "email"
    sender: str | None = None
    """`Name <address>` in place of the shop's own sender."""
    about: Literal["cart", "order", "product", "loyalty"] | None = None
    """What it cannot do without; a template need not ask whether there is one."""
    action: LinkKind | None = None
    """What `{{ action_url }}` does, once: for mails that ask somebody to confirm, or bring them something."""


@dataclass(frozen=True, slots=True)
class MessageTemplate:
    """One compiled template."""

    name: str
    declaration: MessageDeclaration
    subject: BoundTemplate
    preheader: BoundTemplate
    text: BoundTemplate
    html: BoundTemplate


class MessageTemplates:
    """Every message that can be sent, by the name of its folder."""

    def __init__(self, templates: Mapping[str, MessageTemplate]) -> None:
        self._templates = dict(templates)

    @classmethod
    def load(cls, folder: Path) -> "MessageTemplates":
        """Compile and check every template in *folder*; what was found right once is not tried again in this process.

        Raises:
            BadSettings: MESSAGE_TEMPLATE_INVALID, naming file and line.
        """
        return cls(_compiled(_Folder.read(folder)))

    @property
    def names(self) -> frozenset[str]:
        """What a diagram may name as its `template`."""
        return frozenset(self._templates)

    def declaration(self, name: str) -> MessageDeclaration:
        """Return what is said about the template *name*.

        Raises:
            PermanentFailure: MESSAGE_TEMPLATE_UNKNOWN.
        """
        return self._template(name).declaration

    def render(self, name: str, context: MessageContext) -> Rendered:
        """Fill the template *name* with one shopper's data, which is never read as a template itself.

        Raises:
            PermanentFailure: MESSAGE_TEMPLATE_UNKNOWN; MESSAGE_NOT_RENDERED if a limit on loops or size is passed.
        """
        template = self._template(name)
        try:
            return _render(template, _variables(context))
        except LiquidError as error:
            raise PermanentFailure(
                "MESSAGE_NOT_RENDERED", f"message {name}: {type(error).__name__} in {error.template_name}"
            ) from None

    def _template(self, name: str) -> MessageTemplate:
        if name not in self._templates:
            raise PermanentFailure("MESSAGE_TEMPLATE_UNKNOWN", f"there is no folder config/messages/{name}")
        return self._templates[name]


@dataclass(frozen=True, slots=True)
class _Folder:
    """Equal to every other folder with the same in it."""

    path: Path = field(compare=False)
    files: frozenset[tuple[str, bytes]]

    @classmethod
    def read(cls, path: Path) -> "_Folder":
        files = (file for file in path.glob("*/*") if file.is_file())
        return cls(path, frozenset((str(file.relative_to(path)), file.read_bytes()) for file in files))


@lru_cache(maxsize=2)
def _compiled(folder: _Folder) -> Mapping[str, MessageTemplate]:
    shared = {
        f"shared/{path.name}": _checked_mjml(path, _about(path))
        for path in sorted((folder.path / "shared").glob("*.mjml"))
    }
    found = sorted(path.parent for path in folder.path.glob("*/message.toml"))
    return MappingProxyType({path.name: _compile(path, shared) for path in found})


class _PlainEnvironment(Environment):
    """Limits keep one bad template from holding up all the others; 200 kB is twice what large mail services show."""

    block_nesting_limit = 12
    loop_iteration_limit = 2_000
    output_stream_limit = 200_000
    local_namespace_limit = 200_000

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        # `safe` would switch escaping off for a shopper's data; `date` knows the machine's time, not the journey's.
        for name in ("safe", "date"):
            self.filters.pop(name, None)


_PLAIN = _PlainEnvironment(undefined=StrictUndefined)
_ESCAPED = _PlainEnvironment(undefined=StrictUndefined, autoescape=True)


def _render(template: MessageTemplate, variables: Mapping[str, Any]) -> Rendered:
    variables = {**variables, "preheader": _one_line(template.preheader.render(variables))}
    return Rendered(
        subject=_one_line(template.subject.render(variables)),
        text=re.sub(r"\n{3,}", "\n\n", template.text.render(variables)).strip() + "\n",
        html=template.html.render(variables),
    )


def _variables(context: MessageContext) -> dict[str, Any]:
    variables = asdict(context)
    variables["first_name"] = _greetable(context.first_name)
    order, product_ = variables["order"], variables["product"]
    for item in (*variables["items"], *(order["items"] if order else ()), *([product_] if product_ else [])):
        item["name"] = _one_line(item["name"])
        item["initial"] = next((letter for letter in item["name"] if letter.isalnum()), "•").upper()
        for key in ("image_url", "url"):
            item[key] = item[key] if item[key] and re.match(r"https?://", item[key]) else None
    return variables


def _one_line(text: str) -> str:
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())


def _greetable(first_name: str | None) -> str | None:
    """Return the name, or None if it is no name: people sign others up under a link, to advertise by our mail."""
    name = _one_line(first_name or "")
    return name if 0 < len(name) <= 60 and not re.search(r"[/@<>]|www\.", name, re.IGNORECASE) else None  # noqa: PLR2004


def _compile(folder: Path, shared: Mapping[str, str]) -> MessageTemplate:
    toml, mjml, text = folder / "message.toml", folder / "body.mjml", folder / "body.txt.liquid"
    declaration = _declaration(toml)
    template = MessageTemplate(
        name=folder.name,
        declaration=declaration,
        subject=_parse(_PLAIN, _in_its_line(toml, "subject", declaration.subject), toml),
        preheader=_parse(_PLAIN, _in_its_line(toml, "preheader", declaration.preheader), toml),
        text=_parse(_PLAIN, _read(text), text),
        html=_parse(_ESCAPED, _to_html(_checked_mjml(mjml, declaration.about), mjml, shared), mjml),
    )
    if declaration.purpose == "marketing":
        for body, path in ((template.html, mjml), (template.text, text)):
            if "unsubscribe_url" not in body.analyze().globals:
                raise _invalid(path, None, "a marketing message must link to {{ unsubscribe_url }}")
    if declaration.action is not None:
        for body, path in ((template.html, mjml), (template.text, text)):
            if "action_url" not in body.analyze().globals:
                raise _invalid(path, None, "a message with an action must link to {{ action_url }}")
    _try_out(template, folder)
    return template


def _try_out(template: MessageTemplate, folder: Path) -> None:
    """Fill the whole template with every sample of what it is about."""
    toml = folder / "message.toml"
    parts = (
        (template.subject, toml),
        (template.preheader, toml),
        (template.text, folder / "body.txt.liquid"),
        (template.html, folder / "body.mjml"),
    )
    about = template.declaration.about
    for context, variables in _filled_samples():
        if about is not None and not _has(context, about):
            continue
        for part, path in parts:
            try:
                part.render({**variables, "preheader": ""})
            except LiquidError as error:
                raise _invalid_liquid(path, error) from None


def _checked_mjml(path: Path, about: str | None) -> str:
    """Return the MJML at *path* once its Liquid was tried: only in what people wrote are the lines theirs."""
    source = _read(path)
    written = _parse(_ESCAPED, source, path)
    for context, variables in _filled_samples():
        if about is not None and not _has(context, about):
            continue
        try:
            written.render({**variables, "preheader": ""})
        except LiquidError as error:
            raise _invalid_liquid(path, error) from None
    return source


def _about(shared: Path) -> str | None:
    """Return what a part that messages share is about: its name, if it shows an order or a product."""
    return shared.stem if shared.stem in _PARTS else None


def _declaration(path: Path) -> MessageDeclaration:
    try:
        return msgspec.convert(tomllib.loads(_read(path)), MessageDeclaration)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise _invalid(path, None, str(error)) from None


def _in_its_line(path: Path, key: str, source: str) -> str:
    """Return *source* below as many empty lines as stand above it, so that an error names the line in the file."""
    before, found, _ = _read(path).partition(f"{key} =")
    return "\n" * before.count("\n") + source if found else source


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise _invalid(path, None, "the file is missing") from None
    except UnicodeDecodeError:
        raise _invalid(path, None, "the file is not UTF-8") from None


def _parse(environment: Environment, source: str, path: Path) -> BoundTemplate:
    """Parse *source*, and find every variable that does not exist, also where no sample leads."""
    try:
        template = environment.from_string(source, name=str(path))
        unknown = [
            (variable.span.index, str(variable))
            for variables in template.analyze().globals.values()
            for variable in variables
            if not _exists([str(segment) for segment in variable.segments])
        ]
    except LiquidError as error:
        raise _invalid_liquid(path, error) from None
    for index, name in sorted(unknown):
        raise _invalid(path, source.count("\n", 0, index) + 1, f"there is no variable {name}")
    return template


def _exists(segments: list[str]) -> bool:
    root, *rest = segments
    if root in _PARTS and rest:
        return rest[0] in {field.name for field in fields(_PARTS[root])} | ({"initial"} if root == "product" else set())
    return root in {field.name for field in fields(MessageContext)} | {"preheader"}


_PARTS: dict[str, type[MessageCoupon | MessageLoyalty | MessageOrder | MessageProduct]] = {
    "coupon": MessageCoupon,
    "order": MessageOrder,
    "product": MessageProduct,
    "loyalty": MessageLoyalty,
}


def _has(context: MessageContext, about: str) -> bool:
    return bool(context.items) if about == "cart" else getattr(context, about) is not None


def _to_html(source: str, path: Path, shared: Mapping[str, str]) -> str:
    try:
        loader = mrml.ParserOptions(include_loader=mrml.memory_loader(dict(shared)))
        html = mrml.to_html(source, parser_options=loader).content
    except OSError as error:
        raise _invalid(path, _line_of_broken_xml(source), f"this is not MJML: {error}") from None
    if unknown := re.search(r"<(mj-[a-z-]+)", html):
        raise _invalid(path, _line_of(source, unknown[0]), f"MJML has no element {unknown[1]} at this place")
    for tag in Counter(_LIQUID.findall(source)) - Counter(_LIQUID.findall(html)):
        raise _invalid(path, _line_of(source, tag), f"{tag} is lost in the HTML: put it inside <mj-raw>")
    return html


_LIQUID = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


def _line_of(source: str, part: str) -> int | None:
    at = source.find(part)
    return source.count("\n", 0, at) + 1 if at >= 0 else None


def _line_of_broken_xml(source: str) -> int | None:
    try:
        ET.fromstring(source)  # noqa: S314 -- our own template; it only helps to find the line
    except ET.ParseError as error:
        line, _column = error.position
        return line
    return None


@cache
def _filled_samples() -> tuple[tuple[MessageContext, Mapping[str, Any]], ...]:
    """Return the samples with their variables, which are the same for every template."""
    return tuple((context, _variables(context)) for context in _samples())


def _samples() -> Iterator[MessageContext]:
    """Yield contexts that lead into every branch a template can have."""
    coupon = MessageCoupon("AAAA-BBBB-CCCC", 10, "3 December 2026")
    item = MessageItem("Honey", 2, 1250, "€25.00", None, None)
    linked = replace(item, image_url="https://shop.example/honey.jpg", url="https://shop.example/honey")
    placed = MessageOrder(
        number="1042", items=(item,), total="€25.00", placed_on="3 December 2026", url="https://shop.example/cart"
    )
    plain = MessageProduct(name="Honey", price=None, url="https://shop.example/honey")
    cheaper = replace(plain, price="€10.00", was_price="€12.50", image_url="https://shop.example/honey.jpg")
    orders = (None, placed, replace(placed, items=()), replace(placed, items=(linked,) * 50))
    products = (None, cheaper, plain, replace(plain, price="€12.50"))
    combined = product((None, "Anna"), (None, coupon), (item, linked), (1, 2, 50))
    for index, (first_name, offer, line, count) in enumerate(combined):
        # Each kind of order and product with some of the names and coupons, not with all: templates are many.
        turn = (index + index // 4) % 4
        order, shown = orders[turn], products[turn]
        yield MessageContext(
            shop_name="Hive & Honey",
            shop_address="1 Meadow Lane, 10000 Beeville",
            first_name=first_name,
            items=(line,) * count,
            total="€25.00",
            currency="EUR",
            cart_url="https://shop.example/cart",
            coupon=offer,
            unsubscribe_url="https://shop.example/unsubscribe",
            language="en",
            preferences_url="https://shop.example/preferences",
            action_url="https://shop.example/action",
            order=order,
            product=shown,
            loyalty=MessageLoyalty(640, "Gold") if offer is None else None,
        )


def _invalid_liquid(path: Path, error: LiquidError) -> BadSettings:
    where = error.context()
    return _invalid(path, where[0] if where else None, str(error.message))


def _invalid(path: Path, line: int | None, what: str) -> BadSettings:
    place = "/".join(path.parts[-3:]) + (f":{line}" if line else "")
    return BadSettings("MESSAGE_TEMPLATE_INVALID", f"{place}: {what}")
