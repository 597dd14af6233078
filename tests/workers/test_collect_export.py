import pytest

from waggle.errors import PermanentFailure
from waggle.resources import shipped
from waggle.services.exporting import Exporting
from waggle.services.privacy_map import load_privacy_map
from waggle.services.privacy_requests import PrivacyRequestBook
from waggle.testing.facts import Shop
from workers.collect_export import CollectExport, collect_export

pytestmark = pytest.mark.anyio


async def test_the_same_job_again_keeps_the_copy_that_is_there(shop: Shop) -> None:
    await shop.customer()
    book = PrivacyRequestBook(shop.store, shop.clock)
    line = await book.open("access", "c-1", source="cli", by="kim")
    exporting = Exporting(shop.store, load_privacy_map(shipped("config")), shop.clock)
    job = CollectExport(request_id=line.request_id)

    first = await collect_export(job, exporting)
    await shop.cart()
    again = await collect_export(job, exporting)

    assert first == again
    assert first.export_bytes > 0
    with pytest.raises(PermanentFailure, match="PRIVACY_REQUEST_UNKNOWN"):
        await collect_export(CollectExport(request_id="by-hand"), exporting)
