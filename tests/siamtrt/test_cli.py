from __future__ import annotations

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
