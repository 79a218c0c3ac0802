"""The command: `humanalign VERB [CONFIG.yaml] [key=value ...] [--run DIR] [--json]`;
`--key value` is another spelling of key=value.

Verbs are a table; each is one call. Nothing heavy is imported until a verb runs, so that help
comes at once. Exit codes: 0 done, 2 bad input (one sentence), 1 our failure, 130 interrupted.
"""

from __future__ import annotations

import importlib
import json
import signal
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import click

from humanalign import __version__
from humanalign.errors import ConfigError, HumanalignError, did_you_mean
from humanalign.verbs.table import FEEDBACK, KEEP, LOOP, VERBS, Verb, settings_of

# Embeddings, overrides and isolates of direction, and the separators that end a line.
TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")


class VerbCommand(click.Command):
    """A verb whose help lists its keys, read from its settings only when asked."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from humanalign.config import keys  # pydantic is imported for the help of one verb only

        rows = [
            (f"{name}={_shown(default)}", text)
            for name, default, text in keys(settings_of(VERBS[str(ctx.info_name)]))
        ]
        if rows:
            with formatter.section("Keys (key=value, or the same in the YAML file)"):
                formatter.write_dl(rows, col_max=34)


def main() -> None:
    """The entry point of the `humanalign` command; SIGTERM stops it as Ctrl-C does."""
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(run(sys.argv[1:]))


def run(argv: Sequence[str]) -> int:
    """Run the command line `argv`; returns the exit code."""
    try:
        return int(
            _app()(args=list(argv) or ["--help"], prog_name="humanalign", standalone_mode=False)
            or 0
        )
    except HumanalignError as error:
        return _fail(str(error), 2)
    except click.ClickException as error:
        return _fail(error.format_message(), 2)
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted; the same command goes on from what is kept, if anything", 130)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _fail(sentence: str, code: int) -> int:
    _say(f"humanalign: {sentence}", file=sys.stderr)
    return code


def _say(text: str, file: TextIO | None = None) -> None:
    """Print for a terminal: what a file of a user's brought in must not steer it."""
    print("".join("\ufffd" if _steers(c) else c for c in text), file=file)


def _steers(c: str) -> bool:
    """Control characters, marks that turn the direction of text, and halves of characters."""
    kind = unicodedata.category(c)
    return (kind == "Cc" and c not in "\n\t") or kind == "Cs" or c in TURNS


class Verbs(click.Group):
    """The verbs under headings, in the order of the table."""

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        for panel in (LOOP, FEEDBACK, KEEP):
            rows = [(name, verb.summary) for name, verb in VERBS.items() if verb.panel == panel]
            with formatter.section(panel):
                formatter.write_dl(rows)


def _app() -> click.Group:
    words = click.Argument(["words"], nargs=-1, type=click.UNPROCESSED)
    options = [
        click.Option(["--run"], type=click.Path(), help="Run directory; the same again resumes."),
        click.Option(["--json", "as_json"], is_flag=True, help="The result as one JSON line."),
    ]
    app = Verbs(
        help="Align a language model with what people want: collect, label, reward, align, look.",
        params=[click.Option(["--version"], is_flag=True, callback=_version, is_eager=True)],
    )
    for name, verb in VERBS.items():
        if " " in name:
            continue  # a use of the verb that is its first word
        command = VerbCommand(
            name,
            params=[words, *options],
            callback=partial(_command, name),
            help=_help(name, verb),
            context_settings={"ignore_unknown_options": True},
        )
        app.add_command(command)
    return app


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(__version__)
        ctx.exit()


def _help(name: str, verb: Verb) -> str:
    first = f"{verb.first} " if verb.first else ""
    return f"{verb.summary}\n\nhumanalign {name} {first}[CONFIG.yaml] [key=value ...]"


def _command(name: str, words: Sequence[str], run: str | None, as_json: bool) -> None:
    if words and f"{name} {words[0]}" in VERBS:
        name, words = f"{name} {words[0]}", words[1:]
    result = perform(name, words, Path(run) if run else None)
    if as_json:
        print(json.dumps(result, ensure_ascii=False, default=str))
    elif VERBS[name].told:
        _say("\n".join(_called(VERBS[name].told)(result)))
    else:
        show(result)


def perform(name: str, words: Sequence[str], run: Path | None) -> Mapping[str, Any]:
    """Read the verb's settings from its words and call its function."""
    from humanalign.config import keys, load  # pydantic is imported only when a verb runs
    from humanalign.console import stage

    verb = VERBS[name]
    kind = settings_of(verb)
    known = {key: default for key, default, _ in keys(kind)}
    first, file, overrides = split_words(words, verb.first, known, verb.alone)
    settings = load(kind, file, overrides)
    place = Path(first or verb.place) if verb.first else run or _default_run(name, settings)
    if verb.first and not place.name:
        raise ConfigError(f"name what to work on: humanalign {name} {verb.first}")
    perform_stage = _called(verb.function)
    with stage(name) as progress:
        result = perform_stage(settings, first if verb.verbatim else place, progress)
    made = not verb.first and (place / "run.json").exists()
    return {"run": str(place), **result} if made else dict(result)


def _called(name: str) -> Callable[..., Any]:
    """The function "module:function" of ours, imported now."""
    module, function = name.split(":")
    return getattr(importlib.import_module(f"humanalign.{module}"), function)


def split_words(
    words: Sequence[str],
    first: str,
    known: Mapping[str, object],
    alone: Mapping[str, str] | None = None,
) -> tuple[str, str | None, list[str]]:
    """(first word, YAML file, overrides); `known` has the verb's keys with their defaults.

    `--key value` and `--key=value` are other spellings of key=value, and `--key` alone of
    key=true where the key is a switch, of the value that `alone` has for it where it is one of
    those. A dash stands for the underscore of a key.
    """
    rest, overrides = [], []
    left = list(words)
    while left:
        word = left.pop(0)
        if word.startswith("--"):
            overrides.append(_option(word, left, known, alone or {}))
        elif "=" in word and not _names_something(word):
            overrides.append(word)
        else:
            rest.append(word)
    named = rest.pop(0) if first and rest and not _is_yaml(rest[0]) else ""
    if len(rest) > 1 or (rest and not _is_yaml(rest[0])):
        raise ConfigError(f"expected CONFIG.yaml or key=value, got {rest[-1]!r}")
    return named, rest[0] if rest else None, overrides


def _names_something(word: str) -> bool:
    """True for run:DIR?label=toxic and the like: no key has a colon, a slash or a question mark."""
    return bool(set(word.partition("=")[0]) & set(":/?"))


def _option(
    word: str, left: list[str], known: Mapping[str, object], alone: Mapping[str, str]
) -> str:
    """`--key` as key=value; its value is taken from the words that are `left`."""
    key, equals, value = word[2:].partition("=")
    key = key if key in known else key.replace("-", "_")
    if equals:
        return f"{key}={value}"
    follows = left[0] if left and not left[0].startswith("--") else None
    if isinstance(known.get(key), bool) and follows not in ("true", "false"):
        return f"{key}=true"
    if key in alone and (follows is None or "=" in follows):
        return f"{key}={alone[key]}"
    if follows is None:
        hint = "" if key in known else did_you_mean(key, known)
        raise ConfigError(f"--{key} needs a value; write --{key} VALUE or {key}=VALUE{hint}")
    return f"{key}={left.pop(0)}"


def show(result: Mapping[str, Any], indent: str = "") -> None:
    """Print a result for people: one number per line, intervals in brackets."""
    for key, value in result.items():
        if isinstance(value, Mapping) and "value" in value:
            _say(f"{indent}{key}: {_measured(value)}")
        elif key == "card" and isinstance(value, Mapping):
            _show_card(value, indent)
        elif isinstance(value, Mapping):
            _say(f"{indent}{key}:")
            show(value, indent + "  ")
        elif isinstance(value, list) and value and isinstance(value[0], str):
            _say("\n".join([f"{indent}{key}:", *(f"{indent}  {line}" for line in value)]))
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            _say(f"{indent}{key}:")
            for row in value:
                _say(f"{indent}  " + "  ".join(f"{k}={_brief(v)}" for k, v in row.items()))
        else:
            _say(f"{indent}{key}: {_number(value)}")


def _measured(result: Mapping[str, Any]) -> str:
    """A result with what is known of it: a fit's numbers have an interval and no n of their own."""
    low, high, n = (result.get(part) for part in ("ci_low", "ci_high", "n"))
    interval = f" [{low:.3f}, {high:.3f}]" if low is not None and high is not None else ""
    return f"{_number(result['value'])}{interval}" + (f" n={n}" if n is not None else "")


def _show_card(card: Mapping[str, Any], indent: str) -> None:
    """A reward card in its few sentences; the report has its numbers."""
    from humanalign.evaluate.report.reward_card import told_card  # its numbers need numpy

    told = told_card(card)
    for sentence in (*told.verdict, *(f"! {warning}" for warning in told.warnings)) if told else ():
        _say(f"{indent}{sentence}")


def _brief(value: object) -> str:
    if isinstance(value, Mapping) and "value" in value:
        return _number(value["value"])
    return _number(value)


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _is_yaml(word: str) -> bool:
    return word.endswith((".yaml", ".yml"))


def _shown(default: object) -> str:
    return {"None": "null", "True": "true", "False": "false"}.get(str(default), str(default))


def _default_run(name: str, settings: Any) -> Path:
    """runs/<verb>-<hash of the settings>: the same command comes back to the same run."""
    from humanalign.types import content_id

    return Path("runs") / f"{name}-{content_id(settings.model_dump())[:8]}"


__all__ = ["main", "perform", "run", "show", "split_words"]
