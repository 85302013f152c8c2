"""What reads the output of a command may leave at any time, and what takes it may be full: no traceback for either."""

import os
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "offconvex.book.command_line"]


def run(*arguments, **streams):
    done = subprocess.run([*COMMAND, *arguments], stderr=subprocess.PIPE, text=True, **streams)
    return done.returncode, done.stderr


def nobody_reads():
    read, write = os.pipe()
    os.close(read)
    return write


@pytest.mark.parametrize("arguments", [("chapters",), ("--help",)])
def test_a_closed_pipe_ends_a_command_as_the_shell_expects(arguments):
    status, said = run(*arguments, stdout=nobody_reads())
    assert said == ""
    # A parser's help ends the process before anything is asked; `head` has then what it wanted.
    assert status == (0 if arguments == ("--help",) else 141)


def test_a_closed_pipe_in_the_place_of_messages_is_no_failure_of_its_own():
    done = subprocess.run([*COMMAND, "cite", "fig-nowhere"], stdout=subprocess.PIPE, stderr=nobody_reads())
    assert (done.returncode, done.stdout) == (141, b"")


@pytest.mark.parametrize(("command", "absent"), [("chapters", "yaml"), ("execute", "filelock")])
def test_what_the_library_does_without_is_asked_for_in_one_sentence(command, absent):
    program = (
        f"import sys; sys.modules[{absent!r}] = None; "
        f"from offconvex.book.command_line import main; sys.exit(main({command.split()}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    said = f"offconvex: this command needs {absent}, which is not installed; run `pip install -r requirements.txt`"
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(said) and done.stderr.count("\n") == 1


def test_no_output_at_all_is_fine():
    assert run("chapters", preexec_fn=lambda: os.close(1)) == (0, "")
