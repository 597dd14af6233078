"""What a command says when it cannot go on: never a traceback, which might quote a person."""

import os
import sys
import traceback

from cyclopts import App as Commands
from cyclopts import CycloptsError
from cyclopts.exceptions import MissingArgumentError, UnusedCliTokensError
from rich.console import Console
from rich.text import Text

from waggle.errors import BadSettings, PermanentFailure, WaggleError

_ASKED_WRONGLY = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError)


def say(error: WaggleError) -> None:
    """Tell *error* on standard error, its code first."""
    _print(error.code, error.message)


def misused(error: CycloptsError) -> Text:
    """Return what was wrong with the words of a command, and where it says how it is called."""
    called = " ".join(("waggle", *(error.command_chain or ())))
    return _told("MISUSED", f"{_what(error)}\n`{called} --help` shows how it is called, with an example.")


def of_system(error: OSError) -> WaggleError:
    """Return what the system refused, with the file it is about; it is wrongly asked if another file would do."""
    about = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
    said = (error.strerror or type(error).__name__).lower()
    if error.filename is not None and isinstance(error, _ASKED_WRONGLY):
        return BadSettings("FILE_UNUSABLE", f"{about}{said}; name another, or correct who may use it")
    return PermanentFailure("SYSTEM_REFUSED", f"{about}{said}")


def say_fault(error: Exception) -> None:
    """Tell that the fault is ours and where it was noticed, without the text of *error* or any value."""
    frames = traceback.extract_tb(error.__traceback__)
    places = "\n".join(f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
    said = f"{type(error).__name__}: this is a fault of Waggle. Please report these lines; they quote no data."
    _print("INTERNAL_ERROR", f"{said}\n{places}")


def stop_writing() -> None:
    """Let nothing more be written to a standard output that nobody reads, as behind `| head`."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _what(error: CycloptsError) -> str:
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        surplus = " ".join(error.unused_tokens)
        if commands := _commands(error.app):
            return f"{error.unused_tokens[0]}: no such command; there are: {', '.join(commands)}"
        return f"{surplus}: not understood; nothing may stand there"
    if type(error) is MissingArgumentError and error.argument is not None:
        missing = error.argument
        if error.keyword is not None:
            return f"{error.keyword} needs a value"
        return f"{missing.name.lstrip('-').upper() if missing.field_info.is_positional else missing.name} is missing"
    return str(error)


def _commands(app: Commands | None) -> list[str]:
    """Return the names of the commands of a group that also does something without one."""
    return [] if app is None else [name for name in app if not name.startswith("-")]


def _print(code: str, message: str) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False).print(_told(code, message))


def _told(code: str, message: str) -> Text:
    return Text.assemble(("waggle: ", "bold red"), (code, "bold"), f": {message}" if message else "")
