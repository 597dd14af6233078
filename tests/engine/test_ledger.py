"""What rests and what moves, as the engine's records tell it."""

from datetime import UTC, datetime, timedelta

from waggle.engine.records import ElementValue, JobValue, Ledger, Record, SubscriptionValue, TimerValue

AT = datetime(2026, 3, 1, tzinfo=UTC)
INSTANCE, CHILD = 100, 200


class Tape:
    """Records, one after another, and the ledger that takes them."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self._position = 0

    def _take(self, key: int, intent: str, value: ElementValue | JobValue | TimerValue | SubscriptionValue) -> None:
        self._position += 1
        self.ledger.take(Record(position=self._position, partition=1, key=key, intent=intent, at=AT, value=value))

    def element(self, key: int, intent: str, kind: str, *, instance: int = INSTANCE, parent: int = -1) -> None:
        value = ElementValue(
            bpmn_process_id="journey",
            version=1,
            process_definition_key=1,
            process_instance_key=instance,
            element_id=f"E_{key}",
            bpmn_element_type=kind,
            flow_scope_key=instance,
            parent_process_instance_key=parent,
        )
        self._take(key, f"ELEMENT_{intent}", value)

    def begin(self, instance: int = INSTANCE, parent: int = -1) -> None:
        self.element(instance, "ACTIVATED", "PROCESS", instance=instance, parent=parent)

    def timer(self, intent: str, *, element: int = 1, instance: int = INSTANCE) -> None:
        due_date = int((AT + timedelta(hours=1)).timestamp() * 1000)
        self._take(10, intent, TimerValue("E", instance, 1, element, due_date))

    def subscription(self, intent: str, *, element: int) -> None:
        self._take(20, intent, SubscriptionValue("message-clicked", "key", INSTANCE, element))

    def job(self, intent: str, *, kind: str = "send-message", retries: int = 3, retry_backoff: int = 0) -> None:
        self._take(30, intent, JobValue(kind, retries, "", "journey", INSTANCE, "E", 1, retry_backoff))


def test_a_journey_between_two_elements_does_not_rest() -> None:
    tape = Tape()
    tape.begin()

    assert tape.ledger.resting() == set()


def test_a_journey_that_waits_for_a_timer_rests_until_it_fires() -> None:
    tape = Tape()
    tape.begin()
    tape.timer("CREATED")
    assert tape.ledger.resting() == {INSTANCE}

    tape.timer("TRIGGERED")
    assert tape.ledger.resting() == set()


def test_a_fired_timer_leaves_no_rest_to_the_gateway_that_waits_for_a_message_too() -> None:
    tape = Tape()
    tape.begin()
    tape.element(1, "ACTIVATED", "EVENT_BASED_GATEWAY")
    tape.timer("CREATED")
    tape.subscription("CREATED", element=1)
    assert tape.ledger.resting() == {INSTANCE}

    tape.timer("TRIGGERED")
    assert tape.ledger.resting() == set()

    tape.element(1, "COMPLETED", "EVENT_BASED_GATEWAY")
    assert tape.ledger.resting() == set()


def test_a_message_that_is_coming_ends_the_rest_before_anything_has_moved() -> None:
    tape = Tape()
    tape.begin()
    tape.element(1, "ACTIVATED", "INTERMEDIATE_CATCH_EVENT")
    tape.timer("CREATED")
    tape.subscription("CREATED", element=1)

    tape.subscription("CORRELATING", element=1)
    assert tape.ledger.resting() == set()

    tape.subscription("REJECTED", element=1)
    assert tape.ledger.resting() == {INSTANCE}


def test_an_exit_that_is_listened_for_is_no_rest() -> None:
    tape = Tape()
    tape.begin()
    tape.subscription("CREATED", element=INSTANCE)

    assert tape.ledger.resting() == set()


def test_a_journey_rests_as_the_piece_does_that_it_called() -> None:
    tape = Tape()
    tape.begin()
    tape.element(1, "ACTIVATED", "CALL_ACTIVITY")
    tape.begin(CHILD, parent=INSTANCE)
    assert tape.ledger.instances[CHILD].parent_key == INSTANCE
    assert tape.ledger.resting() == set()

    tape.timer("CREATED", instance=CHILD)
    assert tape.ledger.resting() == {INSTANCE, CHILD}


def test_a_job_that_failed_is_due_when_it_is_handed_out_again() -> None:
    tape = Tape()
    tape.begin()
    tape.job("CREATED")
    assert tape.ledger.jobs_under_way() == ["send-message"]

    tape.job("FAILED", retry_backoff=15_000)
    assert tape.ledger.jobs_under_way() == []
    assert tape.ledger.next_due_at() == AT + timedelta(seconds=15)
    assert tape.ledger.due_by(AT + timedelta(seconds=14)) == []
    assert tape.ledger.due_by(AT + timedelta(seconds=15)) == ["E"]
    assert tape.ledger.resting() == {INSTANCE}

    tape.job("RECURRED_AFTER_BACKOFF")
    assert tape.ledger.next_due_at() is None
    assert tape.ledger.jobs_under_way() == ["send-message"]


def test_what_a_person_is_asked_keeps_nobody_busy() -> None:
    tape = Tape()
    tape.begin()
    tape.job("CREATED", kind="io.camunda.zeebe:userTask")
    tape.job("FAILED", kind="io.camunda.zeebe:userTask", retry_backoff=10_000)

    assert tape.ledger.jobs_under_way() == []
    assert tape.ledger.next_due_at() is None
    assert tape.ledger.resting() == {INSTANCE}


def test_an_element_is_reached_once_it_has_begun_also_if_it_is_broken_off() -> None:
    tape = Tape()
    tape.begin()
    tape.element(1, "ACTIVATED", "SERVICE_TASK")
    tape.element(2, "ACTIVATED", "INTERMEDIATE_CATCH_EVENT")
    tape.element(2, "TERMINATED", "INTERMEDIATE_CATCH_EVENT")

    assert tape.ledger.reached(INSTANCE) == {"E_1", "E_2"}
