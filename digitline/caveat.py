"""What must be said beside an accuracy that people's reviews have a part in."""

from __future__ import annotations

from core.vocabulary import Job


def accuracy_caveat(job: Job) -> str:
    """Why the accuracy of a job is not what it seems; empty: it is.

    The least certain images are reviewed first. Where their labels are known from that alone, a share of right ones among
    them says how hard they are, and not how good the rest is.
    """
    if not job.labelled_by_review:
        return ""
    if job.labelled_by_review == job.labelled:
        return "of the reviewed images alone, which are the least certain ones; it is not that of the job"
    some = f"{job.labelled_by_review:,} of {job.labelled:,} labels"
    return f"{some} are known from review alone, of the least certain images; it is not that of the job"
