"""What follows from the fact that a campaign was requested."""

from datetime import datetime

from waggle.domain.campaign import Campaign
from waggle.domain.event import CampaignRequested
from waggle.ports.unit_of_work import Transaction


def note(tx: Transaction, fact: CampaignRequested, at: datetime) -> None:
    """Keep that a campaign was requested; what has become of it since stays."""
    if tx.campaigns.get(fact.campaign_id) is None:
        tx.campaigns.save(
            Campaign(
                campaign_id=fact.campaign_id,
                campaign=fact.campaign,
                requested_by=fact.requested_by,
                requested_at=at,
            )
        )
