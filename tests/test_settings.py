"""Settings come in layers, and a mistake in one is named."""

from dataclasses import dataclass
from datetime import time, timedelta
from pathlib import Path

import pytest

from waggle.domain.secret import Secret
from waggle.errors import BadSettings
from waggle.resources import shipped
from waggle.settings import (
    Settings,
    SourceSettings,
    TaskSettings,
    common_section,
    connector_section,
    limited,
    load_settings,
)


def settings(here: Path, **environment: str) -> Settings:
    return load_settings({f"WAGGLE_{name}": value for name, value in environment.items()}, here=here)


def own_file(here: Path, text: str) -> str:
    file = here / "own.toml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_without_anything_set_the_shipped_defaults_are_in_force(tmp_path: Path) -> None:
    found = settings(tmp_path)

    assert found.api.port == 8600
    assert (found.policy.quiet_from, found.policy.quiet_until) == (time(21), time(9))
    assert found.policy.cap_window == timedelta(hours=20)
    assert found.config_dir == shipped("config")
    assert found.home == tmp_path / ".waggle"
    assert found.database_url == f"sqlite:///{tmp_path / '.waggle' / 'waggle.db'}"
    assert found.embedded_engine


def test_a_file_outweighs_the_defaults_and_the_environment_both(tmp_path: Path) -> None:
    file = own_file(tmp_path, '[api]\nport = 1\nhost = "0.0.0.0"\n[policy]\ncap_messages = 7\n')

    found = settings(tmp_path, CONFIG=file, API__PORT="2")

    assert (found.api.port, found.api.host, found.policy.cap_messages) == (2, "0.0.0.0", 7)  # noqa: S104 -- never bound
    assert found.sources["api.port"] == "WAGGLE_API__PORT"
    assert found.sources["api.host"] == file
    assert found.sources["api.body_timeout_s"] == str(shipped("config") / "waggle.toml")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:9000"),
        ("0.0.0.0", "http://127.0.0.1:9000"),  # noqa: S104 -- never bound
        ("::1", "http://[::1]:9000"),
        ("api.shop.example", "http://api.shop.example:9000"),
    ],
)
def test_links_lead_where_the_api_listens_unless_it_is_said_otherwise(tmp_path: Path, host: str, url: str) -> None:
    found = settings(tmp_path, API__HOST=host, API__PORT="9000")

    assert (found.api.address, found.api.public_url) == (url, url)
    assert found.sources["api.public_url"] == "api.host and api.port"

    public = settings(tmp_path, API__HOST=host, API__PORT="9000", API__PUBLIC_URL="https://go.shop.example")
    assert (public.api.address, public.api.public_url) == (url, "https://go.shop.example")
    assert public.sources["api.public_url"] == "WAGGLE_API__PUBLIC_URL"


def test_texts_of_the_environment_become_numbers_switches_times_and_durations(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        ENGINE__OPERATE="false",
        WORKER__DRAIN_S="2.5",
        POLICY__QUIET_FROM="22:30:00",
        POLICY__CAP_WINDOW="P2D",
    )

    assert found.engine.operate is False
    assert found.worker.drain_s == 2.5
    assert found.policy.quiet_from == time(22, 30)
    assert found.policy.cap_window == timedelta(days=2)


def test_a_secret_may_stand_in_a_file_of_its_own_and_is_never_printed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("postgresql://waggle:hunter2@db/waggle\n", encoding="utf-8")

    found = settings(tmp_path, DATABASE__URL_FILE=str(secret), ENGINE__CLIENT_SECRET="hunter3")

    assert found.database_url == "postgresql://waggle:hunter2@db/waggle"
    assert found.engine.client_secret.reveal() == "hunter3"
    assert "hunter" not in repr(found)
    assert "hunter" not in str(dict(found.sources))


def test_a_secret_of_a_connector_may_stand_in_a_file_too(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n", encoding="utf-8")

    assert settings(tmp_path, SMTP__PASSWORD_FILE=str(secret)).connectors["smtp"]["password"] == "hunter2"


@pytest.mark.parametrize(
    ("environment", "code", "named"),
    [
        ({"API__PROT": "1"}, "SETTING_UNKNOWN", "api.prot is no setting, from WAGGLE_API__PROT; known: "),
        ({"API_PORT": "1"}, "SETTING_UNKNOWN", "WAGGLE_API_PORT"),
        ({"API__PORT": "eighty"}, "SETTING_WRONG", "api.port: Expected `int`, got `str`, from WAGGLE_API__PORT"),
        ({"WORKER__DRAIN_S": "-1"}, "SETTING_WRONG", "worker.drain_s: Expected `float` >= 0"),
        ({"WORKER__QUEUE_WAIT_S": "0"}, "SETTING_WRONG", "worker.queue_wait_s: Expected `float` > 0"),
        ({"WORKER__TASKS": "fast"}, "SETTING_UNKNOWN", "WAGGLE_WORKER__TASKS__TASK_TYPE__KEY"),
        ({"WORKER__TASKS__SEND_MESSAGE": "fast"}, "SETTING_UNKNOWN", "WAGGLE_WORKER__TASKS__TASK_TYPE__KEY"),
        ({"LOG__LEVEL": "loud"}, "SETTING_WRONG", "level"),
        ({"POLICY__CAP_WINDOW": "two days"}, "SETTING_WRONG", "cap_window"),
        ({"POLICY__DEFAULT_TIME_ZONE": "Mars/Olympus"}, "SETTING_WRONG", "policy.default_time_zone"),
        ({"POLICY__DEFAULT_TIME_ZONE": "Europe"}, "SETTING_WRONG", "policy.default_time_zone"),
        ({"POLICY__DEFAULT_TIME_ZONE": ""}, "SETTING_WRONG", "policy.default_time_zone"),
        ({"POLICY__QUIET_FROM": "21:00:00Z"}, "SETTING_WRONG", "policy.quiet_from"),
        ({"DATABASE__URL_FILE": "/nowhere"}, "CONFIG_UNREADABLE", "WAGGLE_DATABASE__URL_FILE"),
        ({"CONFIG": "/nowhere.toml"}, "CONFIG_MISSING", "/nowhere.toml"),
        ({"CONFIG_DIR": "/nowhere"}, "FOLDER_MISSING", "WAGGLE_CONFIG_DIR"),
        ({"BPMN_DIR": "/nowhere"}, "FOLDER_MISSING", "WAGGLE_BPMN_DIR"),
    ],
)
def test_a_mistake_in_the_environment_is_named(
    tmp_path: Path, environment: dict[str, str], code: str, named: str
) -> None:
    with pytest.raises(BadSettings, match=code) as error:
        settings(tmp_path, **environment)

    assert named in error.value.message


@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        ("[api]\nprot = 1\n", "SETTING_UNKNOWN", "own.toml; known: "),
        ('[api]\nport = "eighty"\n', "SETTING_WRONG", "api.port: Expected `int`, got `str`, from "),
        ("[database]\nurl = 5\n", "SETTING_WRONG", "database.url: Expected `str`, got `int`"),
        ("port = 1\n", "SETTING_WRONG", "outside any [section]"),
        ("[api\n", "CONFIG_UNREADABLE", "own.toml"),
        ("[worker]\ntasks = 5\n", "SETTING_WRONG", "under [worker.tasks.<task type>]"),
        ("[worker.tasks]\nsend-message = 5\n", "SETTING_WRONG", "under [worker.tasks.<task type>]"),
    ],
)
def test_a_mistake_in_a_file_is_named(tmp_path: Path, text: str, code: str, named: str) -> None:
    file = own_file(tmp_path, text)

    with pytest.raises(BadSettings, match=code) as error:
        settings(tmp_path, CONFIG=file)

    assert named in error.value.message


def test_a_wrong_value_is_not_quoted_where_it_may_be_a_secret(tmp_path: Path) -> None:
    file = own_file(tmp_path, '[engine]\nclient_secret = ["hunter2"]\n')

    with pytest.raises(BadSettings) as error:
        settings(tmp_path, CONFIG=file)

    assert "hunter2" not in str(error.value)


def test_a_setting_that_itself_names_a_file_holds_the_name_and_not_what_the_file_holds(tmp_path: Path) -> None:
    found = settings(tmp_path, ENGINE__CA_FILE="/etc/waggle/ca.pem")

    assert found.engine.ca_file == "/etc/waggle/ca.pem"


def test_each_limit_of_a_task_type_has_its_own_layer(tmp_path: Path) -> None:
    file = own_file(tmp_path, "[worker.tasks.send-message]\nconcurrency = 2\nrate_per_s = 5\n[worker]\ndrain_s = 9\n")

    found = settings(
        tmp_path, CONFIG=file, WORKER__TASKS__SEND_MESSAGE__RATE_PER_S="20", WORKER__TASKS__READ_CART__RETRIES="1"
    )

    assert found.worker.drain_s == 9
    assert found.worker.tasks == {
        "send-message": TaskSettings(concurrency=2, rate_per_s=20.0),
        "read-cart": TaskSettings(retries=1),
    }
    assert found.sources["worker.tasks.send-message.concurrency"] == file
    assert found.sources["worker.tasks.send-message.rate_per_s"] == "WAGGLE_WORKER__TASKS__SEND_MESSAGE__RATE_PER_S"
    assert set(found.connectors) == {"smtp"}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("concurrency", "0", "Expected `int` >= 1"),
        ("concurrency", "many", "Expected `int | null`"),
        ("rate_per_s", "0", "Expected `float` > 0.0"),
        ("rate_per_s", "-1", "Expected `float` > 0.0"),
        ("rate_per_s", "inf", "Expected `float` <= 100000.0"),
        ("rate_per_s", "nan", "Expected `float`"),
        ("timeout_s", "0", "Expected `float` > 0.0"),
        ("timeout_s", "3601", "Expected `float` <= 3600.0"),
        ("retries", "0", "Expected `int` >= 1"),
    ],
)
def test_a_limit_out_of_bounds_is_named_with_its_source(tmp_path: Path, key: str, value: str, expected: str) -> None:
    name = f"WORKER__TASKS__SEND_MESSAGE__{key.upper()}"

    with pytest.raises(BadSettings, match="SETTING_WRONG") as error:
        settings(tmp_path, **{name: value})

    assert error.value.message.startswith(f"worker.tasks.send-message.{key}: {expected}")
    assert error.value.message.endswith(f", from WAGGLE_{name}")


def test_a_limit_that_does_not_exist_is_named(tmp_path: Path) -> None:
    named = r"worker\.tasks\.read-cart\.speed is no setting, from WAGGLE_\w+__READ_CART__SPEED; known: concurrency"
    with pytest.raises(BadSettings, match=named):
        settings(tmp_path, WORKER__TASKS__READ_CART__SPEED="9")


def test_limits_of_one_process_outweigh_the_rest_for_the_task_types_named(tmp_path: Path) -> None:
    set_for_all = settings(
        tmp_path, WORKER__TASKS__SEND_MESSAGE__RETRIES="9", WORKER__TASKS__SEND_MESSAGE__CONCURRENCY="9"
    )

    found = limited(set_for_all, ["send-message", "read-cart"], {"concurrency": 4})

    assert found.worker.tasks["send-message"] == TaskSettings(concurrency=4, retries=9)
    assert found.worker.tasks["read-cart"] == TaskSettings(concurrency=4)
    assert found.sources["worker.tasks.read-cart.concurrency"] == "--concurrency"
    assert limited(set_for_all, [], {}) is set_for_all


def test_a_limit_out_of_bounds_on_the_command_line_is_named_by_its_flag(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"rate_per_s: Expected `float` > 0.0, from --rate-per-s"):
        limited(settings(tmp_path), ["send-message"], {"rate_per_s": 0.0})


def test_limits_for_no_task_type_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="LIMITS_FOR_NOBODY: --rate-per-s: name the task types"):
        limited(settings(tmp_path), [], {"rate_per_s": 5.0})


def test_a_section_that_no_part_has_is_kept_for_a_connector_of_its_name(tmp_path: Path) -> None:
    found = settings(tmp_path, CONFIG=own_file(tmp_path, '[pigeon]\nloft = "north"\n'))

    assert found.connectors["pigeon"] == {"loft": "north"}


def test_who_started_a_process_is_no_setting(tmp_path: Path) -> None:
    """The supervisor tells its children in a variable that begins like one."""
    assert settings(tmp_path, SUPERVISOR_PID="1") == settings(tmp_path)


def test_the_folder_one_stands_in_outweighs_what_was_shipped(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "waggle.toml").write_text("[api]\nport = 3\n", encoding="utf-8")

    found = settings(tmp_path)

    assert (found.config_dir, found.api.port) == (tmp_path / "config", 3)
    assert found.api.host == "127.0.0.1"


def test_a_source_is_a_section_of_its_own_in_file_and_environment(tmp_path: Path) -> None:
    file = own_file(
        tmp_path, '[source.shop-main]\nconnector = "shopify"\ncurrency = "EUR"\n[stream.bi]\nconnector = "kafka"\n'
    )

    found = settings(
        tmp_path,
        CONFIG=file,
        SOURCE__SHOP_MAIN__CURRENCY="PLN",
        SOURCE__SHOP_MAIN__SECRET_FILE="/run/secrets/shop",
        SOURCE__TRACKER__ALLOW_FIELDS="[]",
    )

    assert dict(found.source_sections["shop-main"]) == {
        "connector": "shopify",
        "currency": "PLN",
        "secret_file": "/run/secrets/shop",
    }
    assert sorted(found.source_sections) == ["shop-main", "tracker"]
    assert dict(found.stream_sections["bi"]) == {"connector": "kafka"}
    assert found.sources["source.shop-main.currency"] == "WAGGLE_SOURCE__SHOP_MAIN__CURRENCY"
    assert not any(name.startswith(("source", "stream")) for name in found.connectors)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[source]\nshop = 5\n", "[source.<name>]"),
        ('[source.Shop]\nconnector = "x"\n', "lower-case"),
        ('[source."a b"]\nconnector = "x"\n', "source.a b"),
        ('[source.waggle]\nconnector = "x"\n', "what happens here"),
        ('[source.one]\nconnector = "x"\n[stream.one]\nconnector = "x"\n', "one names a source and a stream"),
    ],
)
def test_a_source_without_a_good_name_is_refused(tmp_path: Path, text: str, named: str) -> None:
    file = own_file(tmp_path, text)

    with pytest.raises(BadSettings, match="SETTING_WRONG") as error:
        settings(tmp_path, CONFIG=file)

    assert named in error.value.message


@pytest.mark.parametrize("name", ["SOURCE__SHOP", "SOURCE__-__KEY"])
def test_a_variable_that_names_half_a_source_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadSettings, match="WAGGLE_SOURCE__NAME__KEY"):
        settings(tmp_path, **{name: "x"})


@dataclass(frozen=True, kw_only=True)
class PigeonSettings:
    secret: Secret
    ca_file: str = ""
    mapping: str = ""


def test_a_value_may_stand_in_a_file_unless_the_key_itself_names_one(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hunter2\n", encoding="utf-8")
    keys = {"connector": "pigeon", "secret_file": str(file), "ca_file": "/etc/ca.pem", "allow_fields": ["x"]}

    found = connector_section(PigeonSettings, SourceSettings, keys, "source.p")

    assert (found.secret.reveal(), found.ca_file) == ("hunter2", "/etc/ca.pem")
    assert common_section(SourceSettings, keys, "source.p").allow_fields == ("x",)
    with pytest.raises(BadSettings, match=r"source\.p\.sercet is no setting"):
        connector_section(PigeonSettings, SourceSettings, {"sercet": "x"}, "source.p")
    with pytest.raises(BadSettings, match=r"source\.p\.secret_file names /nowhere"):
        connector_section(PigeonSettings, SourceSettings, {"secret_file": "/nowhere"}, "source.p")
