"""One self-contained HTML page about a job: accounts, accuracy, plots, mistakes, and how it was made."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader

from core.database import Database
from core.errors import SourceNotFound, SourceUnreadable, StoreUnreachable
from core.ledger import batches, models, results
from core.ledger.results import Result
from core.objects import get_store
from core.settings import get_settings
from core.sources import Prefix, source_at
from core.vocabulary import Job, Model, Verdict
from digitline.export import replacing
from digitline.filters import FILTERS
from digitline.findings import SHOWN_IMAGES, Findings, gather
from digitline.heat import confusion, heat
from digitline.histogram import confidence_figure, digits_figure
from digitline.pace import images_per_second, seconds_left, seconds_worked
from digitline.pictures import Album, Picture
from training.evaluate import score_matrix
from training.report import png_data_url


def write_report(database: Database, job: Job, output: Path) -> Path:
    """Write the page of a job; one that still runs shows what it has so far.

    Args:
        database: the ledger.
        job: the job.
        output: the HTML file; replaced in one step.

    Returns:
        `output`.

    Raises:
        LedgerUnreachable: the database does not answer.
        DigitlineError: the file cannot be written.
    """
    page = _pages().get_template("report.html").render(_contents(database, job))
    with replacing(output) as draft:
        draft.write_text(page, encoding="utf-8")
    return output


def _pages() -> Environment:
    # The report extends `page.html`, which dresses the pages of training as well, and its matrix is that of the web page.
    folders = [PackageLoader("digitline"), PackageLoader("training"), PackageLoader("digitline", "web/static")]
    templates = ChoiceLoader(folders)
    pages = Environment(loader=templates, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    pages.filters.update(FILTERS)
    return pages


def _contents(database: Database, job: Job) -> dict[str, object]:
    findings = gather(results.of_job(database, job.id))
    matrix, unread = confusion(results.job_confusion(database, job.id))
    evaluation = score_matrix(matrix) if matrix.any() else None
    labelled = evaluation is not None or unread.any()
    shown = findings.mistakes if labelled else findings.least_certain
    turned_away = [result for result in findings.rejected if result.verdict is not None][:SHOWN_IMAGES]
    return {
        "job": job,
        "now": datetime.now(UTC),
        "evaluation": evaluation,
        "rows": heat(matrix, unread),
        "findings": findings,
        "figures": _figures(findings),
        "labelled": labelled,
        "images": list(_with_pictures(job, shown)),
        "turned_away": list(_with_pictures(job, turned_away)),
        "explain": _explain_command(job),
        "verdicts": {verdict: findings.verdicts[verdict] for verdict in Verdict},
        "rejections": results.rejection_counts(database, job.id),
        "rate": images_per_second(job),
        "seconds": seconds_worked(job),
        "seconds_left": seconds_left(job),
        "stages": results.stage_seconds(database, job.id),
        "model": _model_facts(_model_of(database, job)),
        "version": _version(),
        "target_error": get_settings().target_error,
    }


def _figures(findings: Findings) -> Mapping[str, str]:
    """Plots as data URLs, by name; none where nothing was scored."""
    if not findings.least_certain:
        return {}
    figures = {"confidence": confidence_figure(findings)}
    if findings.read_as.any():
        figures["digits"] = digits_figure(findings.read_as)
    return {name: png_data_url(figure) for name, figure in figures.items()}


def _with_pictures(job: Job, shown: list[Result]) -> Iterator[tuple[Result, Picture]]:
    try:
        source = source_at(job.source)
        if isinstance(source, Prefix):
            # Asked once: of a store that is away one would wait for each picture anew.
            get_store().check(source)
        album = Album(source, get_settings())
    except (SourceNotFound, SourceUnreadable, StoreUnreachable) as error:
        yield from ((result, Picture(note=f"No picture: {error}")) for result in shown)
        return
    for result in shown:
        yield result, album.picture(result)


def _explain_command(job: Job) -> str:
    """The command that shows the steps of an image; PATH stands for the path as the page gives it."""
    split = " --split" if job.split else ""
    try:
        source = source_at(job.source)
    except SourceNotFound:  # the pictures say so
        return f"digitline explain PATH{split}"
    if isinstance(source, Prefix):
        return f"digitline explain COPY{split}"
    return f"digitline explain {shlex.quote(f'{source}/')}PATH{split}"


def _model_of(database: Database, job: Job) -> Model:
    """The very model that the job is pinned to; there may be several of its name."""
    pinned = batches.of_job(database, job.id)
    return models.get(database, pinned[0].model_id) if pinned else models.find(database, job.model)


def _model_facts(model: Model) -> dict[str, str]:
    """What the card says, as far as it says it; a card is somebody else's file."""
    card = model.card
    facts = {"Name": model.name, "SHA-256 of its card": model.sha256}
    if "created" in card:
        facts["Trained"] = str(card["created"])
    facts["Fast network"] = _network_facts(card.get("fast"))
    careful = card.get("careful") or []
    for place, network in enumerate(careful if isinstance(careful, list) else [], start=1):
        facts[f"Careful network {place}"] = _network_facts(network)
    if careful:
        facts["Asked carefully"] = f"what the fast network is less than {card.get('escalate_below', 0):.1%} sure of"
    for key in ("validation", "test"):
        measured = card.get(key)
        accuracy = measured.get("accuracy") if isinstance(measured, Mapping) else None
        if isinstance(accuracy, (int, float)):
            facts[f"Accuracy on MNIST's {key} digits"] = f"{accuracy:.2%}"
    return facts


def _network_facts(network: object) -> str:
    if not isinstance(network, Mapping):
        return "unknown"
    parameters, megaflops = network.get("parameters"), network.get("megaflops")
    size = ""
    if isinstance(parameters, int) and isinstance(megaflops, (int, float)):
        size = f", {parameters:,} parameters, {megaflops:.1f} million operations an image"
    return f"{network.get('architecture', 'unknown')}{size}"


def _version() -> str:
    try:
        return version("digitline")
    except PackageNotFoundError:
        return "not installed"
