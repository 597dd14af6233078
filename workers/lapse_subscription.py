"""Task `lapse-subscription`: forget a subscription that nobody confirmed."""

from dataclasses import dataclass

from waggle.services.privacy_answers import PrivacyAnswers
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class LapseSubscription:
    enrolment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionLapsed:
    subscription_lapsed: bool


@task("lapse-subscription")
async def lapse_subscription(job: LapseSubscription, answers: PrivacyAnswers) -> SubscriptionLapsed:
    """What was agreed to before stands; only that it was asked for anew is forgotten.

    Raises:
        PermanentFailure: ENROLMENT_UNKNOWN.
    """
    await answers.lapse(job.enrolment_id)
    return SubscriptionLapsed(subscription_lapsed=True)
