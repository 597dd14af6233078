"""Choosing ports."""

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from waggle.engine.local.ports import LAST_OFFSET, LOOPBACK, Ports, _is_kept, chosen, give_up, keep
from waggle.errors import BadSettings


@pytest.fixture
def free_offset() -> Iterator[int]:
    """Yield an offset whose ports are free, far from those that engines are given first."""
    for offset in range(LAST_OFFSET, 0, -1):
        try:
            with chosen(offset, with_operate=True):
                pass
        except BadSettings:
            continue
        yield offset
        return


def test_a_taken_port_is_named_with_the_process_that_has_it(free_offset: int) -> None:
    with (
        closing(socket.create_server((LOOPBACK, Ports.at(free_offset).monitoring))),
        pytest.raises(BadSettings) as raised,
        chosen(free_offset, with_operate=False),
    ):
        pass
    assert raised.value.code == "PORT_TAKEN"
    assert f"Port {Ports.at(free_offset).monitoring} (monitoring)" in raised.value.message
    assert f"(process {os.getpid()})" in raised.value.message


def test_the_search_ports_do_not_matter_without_operate(free_offset: int) -> None:
    with (
        closing(socket.create_server((LOOPBACK, Ports.at(free_offset).search))),
        chosen(free_offset, with_operate=False) as ports,
    ):
        assert ports == Ports.at(free_offset)


def test_two_that_look_for_free_ports_at_once_find_different_ones() -> None:
    with chosen(None, with_operate=True) as mine, chosen(None, with_operate=True) as theirs:
        assert mine != theirs


def test_an_engine_is_given_the_ports_that_it_had_before() -> None:
    def is_given_again(before: Ports) -> bool:
        with chosen(None, with_operate=True, before=before) as ports:
            return ports == before

    # Others may have some of them at this moment, not all.
    assert any(is_given_again(Ports.at(LAST_OFFSET - below)) for below in range(20))


def test_the_ports_of_an_engine_that_died_are_left_to_it(tmp_path: Path) -> None:
    with chosen(None, with_operate=False) as ports:
        keep(ports, tmp_path)
    try:
        with chosen(None, with_operate=False) as theirs:
            assert theirs != ports
        with chosen(ports.offset, with_operate=False) as mine:
            assert mine == ports
    finally:
        give_up(ports, tmp_path)
    # Whether they are chosen next, others who look for ports at this moment decide, too.
    assert not _is_kept(ports.offset)


def test_ports_are_kept_for_nobody_whose_home_is_gone_and_given_up_by_nobody_else(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with chosen(None, with_operate=False) as ports:
        keep(ports, home)
    give_up(ports, tmp_path / "another")
    with chosen(None, with_operate=False) as theirs:
        assert theirs != ports
    home.rmdir()
    assert not _is_kept(ports.offset)
    give_up(ports, home)


def test_no_two_offsets_share_a_port() -> None:
    used = [port for offset in range(LAST_OFFSET + 1) for port in Ports.at(offset).used(with_operate=True).values()]
    assert len(used) == len(set(used))


@pytest.mark.parametrize("offset", [-1, LAST_OFFSET + 1])
def test_an_offset_outside_the_range_is_refused(offset: int) -> None:
    with pytest.raises(BadSettings):
        Ports.at(offset)
