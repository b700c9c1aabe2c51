from __future__ import annotations

from project88.launch_environment import prepare


def test_the_demo_never_reaches_the_real_provider_or_the_real_database():
    environment = {
        "DEBUG": "false",
        "RUNSIGNUP_URL": "https://api.runsignup.com/rest",
        "RUNSIGNUP_REG": "11.token",
        "RUNSIGNUP_REG_SECRET": "s",
    }
    prepare(["demo"], environment)
    assert environment["DEBUG"] == "true"
    assert environment["RUNSIGNUP_URL"].startswith("http://127.0.0.1:")
    assert environment["RUNSIGNUP_REG"] == environment["RUNSIGNUP_REG_SECRET"] == ""
    assert environment["EMBEDDED_DATABASE"] == "demo"


def test_other_commands_find_the_environment_as_it_is():
    environment = {"DEBUG": "false"}
    for command in (["cluster"], ["migrate"], []):
        prepare(command, environment)
    assert environment == {"DEBUG": "false"}
