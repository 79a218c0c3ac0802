"""One self-contained HTML page for a round of the loop, or for one run: no network, no server.

The page says what happened stage by stage, in words, numbers and pictures. Everything a model or
a labeler wrote is hostile text: escaped in the page, escaped again inside the script data, and a
content security policy lets only this page's own script and style run.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from humanalign.evaluate.report import exhibits
from humanalign.evaluate.report.chapters import Chapter, chapter
from humanalign.evaluate.report.charts import bar, number
from humanalign.evaluate.report.results import with_interval
from humanalign.evaluate.report.stages import StageRun, read_stages
from humanalign.rows import write_bytes

HERE = Path(__file__).parent
# The command line's verb where it is not the stage's name.
VERBS = {"prefer": "pairs"}


def report(path: Path | str, out: Path | str | None = None) -> Path:
    """Write the page for the round (a folder of runs) or the run in `path`; returns where it is.

    `out` is the file to write, report.html in `path` where None. RunError: no run there.
    """
    path = Path(path)
    target = Path(out) if out else path / "report.html"
    html = render(read_stages(path), path)
    # A lone surrogate in a model's output has no UTF-8; it becomes a question mark.
    return write_bytes(target, html.encode("utf-8", "replace"))


def render(runs: Sequence[StageRun], path: Path) -> str:
    """The page as a string."""
    style, script = (
        (HERE / "report.css").read_text("utf-8"),
        (HERE / "report.js").read_text("utf-8"),
    )
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "interval": with_interval, "chance": _chance}
    chapters = [chapter(run) for run in runs]
    evaluation = next((c.run for c in reversed(chapters) if c.run.stage == "evaluate"), None)
    found = exhibits.measures(evaluation.summary) if evaluation else []
    main = found[0] if found else None
    samples = evaluation.samples if evaluation else ()
    key = main.key if main else "toxicity"
    return environment.get_template("report.html").render(
        title=exhibits.headline(main) if main else _title(chapters, path),
        round=path.resolve().name,
        date=str(runs[-1].record.get("finished") or runs[-1].record.get("started") or "")[:10],
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        data=_script_data({c.run.name: _cursor(c) for c in chapters if c.curves}),
        chapters=chapters,
        main=main,
        measures=found,
        evaluation=evaluation,
        reduction=_within(evaluation, "toxicity", "relative_reduction"),
        glance=_glance(chapters, found, evaluation),
        histogram=exhibits.scores_histogram(samples, key),
        pairs=exhibits.pairs(samples, key),
        warnings=exhibits.warnings(samples, key),
        seconds=_seconds(runs),
        commands=[*map(_command, runs), shlex.join(["humanalign", "report", str(path)])],
    )


def _title(chapters: Sequence[Chapter], path: Path) -> str:
    """What a page without an evaluation is headed by: a reward's accuracy, else the run's name."""
    said = [told.card.headline for told in chapters if told.card and told.card.headline]
    return said[-1] if said else f"Report of {path.resolve().name}"


def _command(run: StageRun) -> str:
    """The command that makes the run again, beside the old one."""
    verb, again = VERBS.get(run.stage, run.stage), f"{run.path}-again"
    return shlex.join(["humanalign", verb, str(run.path / "config.yaml"), "--run", again])


def _policy(style: str, script: str) -> str:
    """Content security policy: nothing but this page's own style and script, by their hashes."""
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    ]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _chance(p: object) -> str:
    """A p-value as journals print it."""
    if not isinstance(p, int | float):
        return "–"
    return "< .001" if p < 0.001 else f"{p:.3f}"


def _script_data(data: object) -> Markup:
    """JSON that cannot leave its script element whatever the strings in it say."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def _cursor(told: Chapter) -> dict:
    return {curve.id: curve.points for curve in told.curves}


def _within(run: StageRun | None, *keys: str) -> Mapping | None:
    found: object = run.summary if run else None
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) and found.get("value") is not None else None


def _glance(
    chapters: Sequence[Chapter], found: Sequence[exhibits.Measure], evaluation: StageRun | None
) -> list[tuple[str, str, str]]:
    """The numbers of the first minute: (name, value, what it says)."""
    rows = []
    for measure in found:
        if measure.key in ("toxicity", "rougeL") or measure is found[0]:
            change = exhibits.told(measure.difference)
            before, after = (number(side["value"]) for side in (measure.before, measure.after))
            rows.append(
                (measure.name, f"{before} → {after}", f"{measure.finding}; change {change}")
            )
    if kl := _within(evaluation, "kl", "mean"):
        said = f"nats an answer from the model before; {_spread(kl)}"
        rows.append(("Distance moved (KL)", number(kl["value"]), said))
    for told in chapters:
        accuracy = _within(told.run, "accuracy") if told.run.stage == "reward" else None
        if accuracy:
            of = "texts given the label of most votes"
            of = of if "auroc" in told.run.summary else "pairs in the labelers' order"
            said = f"of held-out {of}; {_spread(accuracy)}"
            rows.append(("Reward model accuracy", f"{100 * accuracy['value']:.0f} %", said))
    return rows


def _spread(result: Mapping) -> str:
    low, high = number(result.get("ci_low")), number(result.get("ci_high"))
    return f"95 % interval {low} to {high}, n\u00a0{number(result.get('n'))}"


def _seconds(runs: Sequence[StageRun]) -> list[tuple[str, float, Markup, str]]:
    """(run, seconds, bar, how the steps' time was spent) for each run."""
    total = sum(run.seconds for run in runs) or 1.0
    return [(run.name, run.seconds, bar(run.seconds / total), _clock(run)) for run in runs]


def _clock(run: StageRun) -> str:
    parts: dict[str, float] = {}
    for row in run.metrics:
        for name, value in row.items():
            if name.startswith("time/") and name != "time/step" and isinstance(value, int | float):
                parts[name] = parts.get(name, 0.0) + value
    return ", ".join(f"{n.removeprefix('time/')} {number(s)} s" for n, s in parts.items())
