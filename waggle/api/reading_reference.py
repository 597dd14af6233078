"""What the description of the API says of the questions that the shop may ask."""

from typing import Any

import msgspec

from waggle.api.answers import WITH_A_KEY, problems
from waggle.api.reading import FEWER_ENTRIES, MOST_ENTRIES, Lookup
from waggle.services.field_rules import MAX_ID_CHARS
from waggle.services.reading import (
    MOST_FOUND,
    CartView,
    ConsentView,
    CouponView,
    CustomerView,
    OrderView,
    ProductView,
)

_REFERENCE = "#/components/schemas/{name}"
_ASKING = (400, 404, *WITH_A_KEY)
_LOOKING_UP = (400, 408, 413, 422, *WITH_A_KEY)


def reading_paths() -> dict[str, Any]:
    """Return the description of each route of `waggle.api.reading`."""
    return {
        "/v1/customers/lookup": {"post": _lookup()},
        "/v1/customers/{ref}": {
            "get": _one("ref", "A customer, by any id of theirs", "CustomerView", "customers:read")
        },
        "/v1/customers/{ref}/consents": {
            "get": _described("ref", "What a customer agrees to now", _object(consents="ConsentView"), "consents:read")
        },
        "/v1/customers/{ref}/orders": {"get": _list("orders", "OrderView", "orders:read")},
        "/v1/customers/{ref}/carts": {"get": _list("carts", "CartView", "orders:read")},
        "/v1/customers/{ref}/coupons": {"get": _list("coupons", "CouponView", "coupons:read")},
        "/v1/orders/{order_id}": {"get": _one("order_id", "An order", "OrderView", "orders:read")},
        "/v1/carts/{cart_id}": {"get": _one("cart_id", "A cart", "CartView", "orders:read")},
        "/v1/products/{sku}": {"get": _one("sku", "A product", "ProductView", "products:read")},
        "/v1/coupons/{code}": {"get": _one("code", "A coupon", "CouponView", "coupons:read")},
    }


def reading_schemas() -> dict[str, Any]:
    """Return the schemas that these refer to."""
    views = (CustomerView, ConsentView, OrderView, CartView, ProductView, CouponView, Lookup)
    return msgspec.json.schema_components(views, ref_template=_REFERENCE)[1]


def _one(name: str, summary: str, view: str, scope: str) -> dict[str, Any]:
    return _described(name, summary, {"$ref": _REFERENCE.format(name=view)}, scope)


def _list(name: str, view: str, scope: str) -> dict[str, Any]:
    schema = _object(**{name: view})
    schema["properties"]["next"] = {"type": ["string", "null"], "description": "The cursor of what comes after these"}
    schema["required"].append("next")
    operation = _described("ref", f"The {name} of a customer, the newest first", schema, scope)
    limit = {"type": "integer", "minimum": 1, "maximum": MOST_ENTRIES, "default": FEWER_ENTRIES}
    operation["parameters"] += [
        {"name": "limit", "in": "query", "schema": limit},
        {"name": "cursor", "in": "query", "schema": {"type": "string"}, "description": "What `next` said before"},
    ]
    return operation


def _object(**lists: str) -> dict[str, Any]:
    properties = {
        name: {"type": "array", "items": {"$ref": _REFERENCE.format(name=view)}} for name, view in lists.items()
    }
    return {"type": "object", "required": list(lists), "properties": properties}


def _described(name: str, summary: str, schema: dict[str, Any], scope: str) -> dict[str, Any]:
    answers: dict[str, Any] = {
        "200": {
            "description": "As it is now",
            "headers": {"ETag": {"schema": {"type": "string"}}},
            "content": {"application/json": {"schema": schema}},
        },
        "304": {"description": "What If-None-Match names still holds"},
    }
    return {
        "summary": summary,
        "description": f"Needs the scope {scope}.",
        "security": [{"write_key": []}],
        "parameters": [
            {
                "name": name,
                "in": "path",
                "required": True,
                "schema": {"type": "string", "minLength": 1, "maxLength": MAX_ID_CHARS},
            },
            {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}},
        ],
        "responses": answers | problems(*_ASKING),
    }


def _lookup() -> dict[str, Any]:
    schema = _object(customers="CustomerView")
    schema["properties"]["customers"]["maxItems"] = MOST_FOUND
    found = {"description": "Whoever has it", "content": {"application/json": {"schema": schema}}}
    return {
        "summary": "Find customers by e-mail or phone",
        "description": "Needs the scope customers:read. A question with a body, since addresses of pages are logged.",
        "security": [{"write_key": []}],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": _REFERENCE.format(name="Lookup")}}},
        },
        "responses": {"200": found} | problems(*_LOOKING_UP),
    }
