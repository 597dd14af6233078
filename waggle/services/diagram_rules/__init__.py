"""What the engine would accept and then hang on, drop, or do wrong: one rule per truth.

A rule is a function whose name, with dashes, is its id and whose docstring is its row in docs/checks.md. It yields what
is wrong with one diagram, one decision, or with what stands beside them.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from waggle.services.decisions import Decision
from waggle.services.diagram_rules import (
    beside,
    calls,
    engine_limits,
    errors,
    exits,
    formulas,
    messages,
    named_things,
    naming,
    paths,
    running,
    tables,
    tasks,
    times,
    variables,
)
from waggle.services.diagram_rules.surroundings import Surroundings, TaskType
from waggle.services.diagrams import Diagram
from waggle.services.findings import Finding

__all__ = ["DIAGRAM_RULES", "SURROUNDING_RULES", "TABLE_RULES", "Surroundings", "TaskType", "findings_of", "rule_id"]

DIAGRAM_RULES: Final[tuple[Callable[[Diagram, Surroundings], Iterator[Finding]], ...]] = (
    naming.the_file_is_named_like_the_process,
    naming.a_version_is_written_on_it,
    naming.drawn_for_this_engine,
    naming.the_documentation_says_what_it_is_for,
    naming.ids_are_given_by_people,
    naming.names_say_something,
    naming.outcomes_are_single_words,
    naming.everything_is_drawn,
    naming.sub_processes_are_unfolded,
    naming.levels_fit_the_eye,
    naming.element_templates_are_there,
    engine_limits.the_engine_has_the_element,
    engine_limits.journeys_start_on_messages,
    engine_limits.events_have_a_meaning,
    engine_limits.errors_and_compensation_interrupt,
    engine_limits.repetitions_have_a_list,
    engine_limits.tasks_do_something,
    engine_limits.headers_are_set_once,
    engine_limits.decorations_are_known_for_what_they_are,
    tasks.the_enrolment_is_opened_first,
    tasks.task_types_have_workers,
    tasks.tasks_get_their_inputs,
    tasks.results_are_taken_under_their_names,
    tasks.retries_are_explicit,
    tasks.steps_are_unique,
    tasks.user_tasks_reach_people,
    tasks.answers_of_people_exist,
    calls.called_pieces_exist,
    calls.calls_say_what_goes_in_and_out,
    calls.pieces_take_inputs_only,
    calls.pieces_say_what_they_take_and_give,
    errors.caught_errors_are_thrown,
    errors.thrown_errors_are_caught,
    errors.escalations_meet_someone,
    errors.compensation_has_something_to_undo,
    messages.messages_are_in_the_catalogue,
    messages.messages_are_keyed_by_enrolment,
    messages.engine_messages_are_not_thrown,
    messages.signals_are_thrown_somewhere,
    messages.exits_interrupt,
    exits.marketing_ends_with_consent,
    exits.journeys_end_with_their_customer,
    exits.consent_exits_are_about_marketing,
    named_things.templates_exist,
    named_things.templates_fit_their_task,
    named_things.segments_exist,
    named_things.coupon_campaigns_exist,
    times.times_come_from_settings,
    times.timers_have_the_right_kind,
    times.settings_agree_with_the_file,
    times.durations_in_settings_are_durations,
    formulas.formulas_can_be_read,
    formulas.formulas_begin_with_an_equals_sign,
    formulas.functions_exist,
    formulas.names_have_no_dashes,
    formulas.conditions_cannot_be_null,
    formulas.compared_values_can_occur,
    formulas.ordered_values_are_there,
    paths.splits_have_a_default,
    paths.answers_of_a_split_have_conditions,
    paths.everything_is_reached,
    paths.arrows_are_known_at_both_ends,
    paths.ways_end_at_end_events,
    paths.waits_come_to_an_end,
    paths.loops_wait,
    paths.outcomes_are_recorded,
    variables.variables_are_written_before_they_are_read,
    variables.variables_say_nothing_about_a_person,
    tables.decisions_exist,
    tables.decisions_get_their_inputs,
    tables.answers_that_are_read_exist,
)

TABLE_RULES: Final[tuple[Callable[[Decision, Surroundings], Iterator[Finding]], ...]] = (
    tables.tables_have_a_version,
    tables.tables_are_drawn_for_this_engine,
    tables.tables_are_named_like_their_file,
    tables.tables_always_answer,
    tables.tables_answer_with_two_columns,
    tables.hit_policies_are_what_they_say,
    tables.rows_can_match,
    tables.cells_can_be_read,
    tables.cells_fit_their_column,
    tables.offered_campaigns_exist,
    tables.required_decisions_exist,
)

SURROUNDING_RULES: Final[tuple[Callable[[Surroundings], Iterator[Finding]], ...]] = (
    beside.catalogue_entries_have_diagrams,
    beside.catalogue_events_exist,
    beside.switches_of_the_catalogue_are_set,
    beside.settings_have_a_journey,
    beside.forms_have_a_version,
    beside.message_templates_can_be_filled,
    beside.scenarios_name_what_is_there,
    running.segments_can_be_read,
    running.campaigns_can_be_run,
    running.loyalty_levels_rise,
    running.products_last_for_a_time,
    running.wordings_are_named_by_version_and_language,
    running.purposes_can_be_explained,
    running.the_privacy_map_can_be_read,
    running.mappings_can_be_read,
    running.preferred_sources_are_for_fields,
)


def rule_id(rule: Callable[..., Any]) -> str:
    """Return the name under which *rule* stands in docs/checks.md."""
    return rule.__name__.replace("_", "-")


def findings_of(known: Surroundings) -> Iterator[Finding]:
    """Yield everything that the rules find."""
    for diagram in known.diagrams.values():
        for diagram_rule in DIAGRAM_RULES:
            yield from (replace(found, rule=rule_id(diagram_rule)) for found in diagram_rule(diagram, known))
    for decision in known.decisions.values():
        for table_rule in TABLE_RULES:
            yield from (replace(found, rule=rule_id(table_rule)) for found in table_rule(decision, known))
    for rule in SURROUNDING_RULES:
        yield from (replace(found, rule=rule_id(rule)) for found in rule(known))
