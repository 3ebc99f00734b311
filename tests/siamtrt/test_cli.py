from __future__ import annotations

import argparse

import pytest

from siamtrt import ArtifactError, ProbeError, UsageError, cli, errors


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


def test_the_recorded_command_can_be_typed_again():
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
