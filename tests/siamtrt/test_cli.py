from __future__ import annotations

import argparse
import logging
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from siamtrt import ArtifactError, ProbeError, UsageError, cli, errors

ROOT = Path(__file__).parents[2]
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


def run(main, argv=()):
    return cli.run(main, cli.parser("demo", "A command."), list(argv))


@pytest.mark.parametrize(("error", "code"), [(UsageError, 2), (ArtifactError, 4), (ProbeError, 8)])
def test_an_error_is_one_sentence_its_way_out_and_its_exit_code(capsys, error, code):
    def main(options):
        raise error("the file is gone", hint="make export")

    assert run(main) == code
    captured = capsys.readouterr()
    assert captured.err == "error: the file is gone\n  try: make export\n"
    assert captured.out == ""


def test_an_interrupt_ends_with_130():
    def main(options):
        raise KeyboardInterrupt

    assert run(main) == 130


def test_a_bug_keeps_its_traceback():
    def main(options):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(main)


def test_success_is_zero_and_quiet_is_heard():
    heard = []
    assert run(lambda options: heard.append(options.quiet), ["--quiet"]) == 0
    assert heard == [True]


@pytest.mark.parametrize("python", ["python", "python3", "python3.8"])
def test_commands_are_named_by_the_python_that_runs(monkeypatch, capsys, python):
    monkeypatch.setattr(sys, "executable", f"/usr/bin/{python}")
    monkeypatch.setattr(sys, "argv", ["engines", "--out", "b"])

    def main(options):
        logging.getLogger("demo").warning("stale: python3 -m export --out a")
        raise ArtifactError("the graphs are gone", hint="python -m export --out a, see python-matters")

    assert run(main) == 4
    told = capsys.readouterr().err
    assert told == (
        f"W demo: stale: {python} -m export --out a\n"
        f"error: the graphs are gone\n  try: {python} -m export --out a, see python-matters\n"
    )
    assert cli.command_line("engines") == f"{python} -m engines --out b"
    assert cli.parser("engines", "").prog == f"{python} -m engines"


def test_the_recorded_command_can_be_typed_again(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/somewhere/python")
    assert cli.command_line("runtime", ["track", "--source", "my clip.mp4"]) == (
        "python -m runtime track --source 'my clip.mp4'"
    )


def test_the_drawn_tree_names_every_error_with_its_exit_code():
    for name, member in vars(errors).items():
        if isinstance(member, type) and issubclass(member, errors.PipelineError) and member is not errors.PipelineError:
            line = next(line for line in errors.__doc__.splitlines() if f" {name} " in line)
            assert str(member.exit_code) in line.split()


@pytest.mark.parametrize(("kind", "least"), [(cli.count, 1), (cli.seed, 0)])
def test_whole_numbers_have_bounds(kind, least):
    assert kind(str(least)) == least
    assert kind("2147483647") == 2147483647
    for text in (str(least - 1), "2147483648", "1.5", "two", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="not a whole number from"):
            kind(text)


def test_a_number_out_of_bounds_is_a_usage_error(capsys):
    parser = cli.parser("benchmarks", "")
    parser.add_argument("--threads", type=cli.count)
    with pytest.raises(SystemExit) as ended:
        cli.run(lambda options: None, parser, ["--threads", "0"])
    assert ended.value.code == 2
    assert "'0' is not a whole number from 1" in capsys.readouterr().err


SLEEPER = """
import argparse, sys, time
from siamtrt import cli
def main(options):
    print("ready", flush=True)
    time.sleep(60)
sys.exit(cli.run(main, cli.parser("demo", ""), []))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_of_either_kind_ends_a_command_with_what_is_finished(number):
    with subprocess.Popen([sys.executable, "-c", SLEEPER], cwd=ROOT, **PIPES) as child:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(number)
        assert child.communicate(timeout=30)[1] == "interrupted; what was finished is kept\n"
    assert child.returncode == 130


def test_signals_are_given_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    seen = []
    assert run(lambda options: seen.append(signal.getsignal(signal.SIGTERM))) == 0
    assert seen == [signal.default_int_handler]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_signal_that_the_shell_lets_be_ignored_stays_ignored():
    seen = []
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        run(lambda options: seen.append(signal.getsignal(signal.SIGTERM)))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [signal.SIG_IGN]


@pytest.mark.parametrize("command", [["runtime", "track"], ["engines"]])
def test_ctrl_c_while_modules_are_imported_shows_no_traceback(command):
    words = [sys.executable, "-X", "importtime", "-m", *command, "--help"]
    with subprocess.Popen(words, cwd=ROOT, **PIPES) as child:
        for line in child.stderr:
            if line.endswith(" siamtrt.errors\n"):  # the command itself is still to come
                break
        child.send_signal(signal.SIGINT)
        error = child.communicate(timeout=30)[1]
    assert "Traceback" not in error
    assert child.returncode == -signal.SIGINT


def test_a_reader_that_went_away_is_no_error():
    code = "from siamtrt import cli; import sys\n"
    code += "sys.exit(cli.run(lambda options: print('line\\n' * 100000), cli.parser('demo', ''), []))"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, **PIPES) as child:
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == ""
        assert child.wait(timeout=30) == 141


def test_another_broken_pipe_is_a_bug():
    def main(options):
        raise BrokenPipeError("of a child process")

    with pytest.raises(BrokenPipeError, match="of a child process"):
        run(main)


def test_quiet_may_stand_before_a_command_and_after_it():
    for words in (["--quiet", "track"], ["track", "--quiet"], ["track"]):
        parser = cli.table("demo", "", [("track", "tests.siamtrt.command", "")], words)
        assert parser.parse_args(words).quiet is ("--quiet" in words)


def test_help_names_the_defaults_that_are_values(capsys):
    parser = cli.parser("demo", "")
    parser.add_argument("--crops", default=500, help="how many")
    parser.add_argument("--threads", type=int, help="all cores if left out")
    parser.add_argument("--annotate", action="store_true", help="a video too")
    text = " ".join(parser.format_help().split())
    assert "how many (default: 500)" in text
    assert text.count("default:") == 1


@pytest.mark.parametrize("out", ["/proc/results", "/dev/null/report.json", "{here}/file/deep/report.json"])
def test_an_out_that_cannot_be_written_is_found_out_before_the_work(tmp_path, capsys, out):
    (tmp_path / "file").write_text("")
    arguments = cli.parser("demo", "")
    arguments.add_argument("--out", type=Path)
    worked = []
    assert cli.run(worked.append, arguments, ["--out", out.format(here=tmp_path)]) == 4
    assert capsys.readouterr().err.startswith("error: cannot write ")
    assert not worked
    assert cli.run(worked.append, arguments, []) == 0  # it may be left out
    assert cli.run(worked.append, arguments, ["--out", f"{tmp_path}/new/deep/report.json"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert len(worked) == 2


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.run(lambda options: None, cli.parser("demo", ""), ["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("siamtrt 0.")


def test_ctrl_c_is_heard():
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_is_heard_whatever_shell_called_the_tests():
    tested = f"{Path(__file__).relative_to(ROOT)}::{test_ctrl_c_is_heard.__name__}"
    command = f"trap '' INT; exec {shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider '{tested}'"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
