"""Even paper where light is uneven or noise strong: its light divided out, its noise smoothed, its ink found anew."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from classifier.paper import between, rim_share
from classifier.sheet import Image, Sheet, blank, ink_box, inked, region, some_rows, sum_under, touches_border
from classifier.straight import THICKEST, opened

#: Side of the picture on which light is measured, in pixels.
LIGHT_SIDE = 256
#: Sides of the squares that are tried on strokes, as parts of the longer side.
STROKE_PARTS = (0.025, 0.06, 0.1, 0.16, 0.25)
#: Least share of the greatest lead of one polarity that tells it, and that does so where the other hardly shows beside
#: it; and share of the greatest from which on strokes do not fill a square.
MARKED, FAINT, ALONE, FILLED = 0.15, 0.03, 0.85, 0.7
#: Paper within this share of the contrast counts as even; more than the second share of it beyond is trouble.
EVEN, MAX_UNEVEN = 0.1, 0.12
#: How far from ink paper is taken, the longer side by this, and the least share of the picture that says anything.
EDGE_PART, MIN_FREE = 25, 0.05
#: Most pixels between dark and bright, as a share of all, in a picture that strokes with soft edges fill.
MOSTLY_BETWEEN = 0.45
#: Most contrasts of the mean that the strongest ink stands out by, in such a picture: what is weaker is texture.
MAX_TEXTURED = 1.5
#: Ink at the border may be a shadow where the strongest stands out by this many contrasts of the mean,
MAX_PEAK = 1.35
#: or where a square fits in whose side is this part of the longer side, and which no stroke is as wide as.
BLOB_PART = 0.4
#: Share of the border that a shadow takes up at least.
MAX_RIM = 0.03
#: What stands out of the paper by so many deviations of its grain may be ink.
CLEARLY = 4.5
#: Steepness of an edge that tells how strong ink is, and of one that a stroke has at least, by the steepest edges.
SHARP, SOFT = 0.6, 0.3
#: Share of its outline that is steep in a piece of ink that no shadow joins, and in a stroke within one; share of the
#: steep outline of both that the stroke has; and levels at which it is looked for, between that of ink and the strongest.
STEEPLY, ALL_STEEP, KEPT_STEEP, LEVELS = 0.85, 0.95, 0.8, (0.2, 0.4, 0.6)
#: Share of the contrast that noise may have before it is smoothed, and that it is brought down to.
QUIET = 0.05
#: Pixels of ink that are alone before they count as salt and pepper, in number and as a share of all.
MIN_ALONE, MAX_ALONE = 5, 0.004


def even_light(sheet: Sheet) -> None:
    """Take shadow and lamp light out of the paper, where one threshold would not do.

    The paper is the closing of the picture by a square that no stroke fills (Serra 1982); what is drawn is the share
    of light that it swallows, so a shadow leaves it as it is. Light ink on dark is what is brighter than the opening.
    """
    if not _is_uneven(sheet):
        return
    sheet.troubled = True
    picture = cv2.bitwise_not(sheet.pixels) if sheet.turned else sheet.pixels
    height, width = picture.shape
    sheet.turned, part = _stroke_part(_small(picture, LIGHT_SIDE // 2))
    small = _small(picture, LIGHT_SIDE)
    how = cv2.MORPH_CLOSE if sheet.turned else cv2.MORPH_OPEN
    paper = cv2.resize(_filled(small, how, part), (width, height), interpolation=cv2.INTER_LINEAR)
    if sheet.turned:
        sheet.pixels = cv2.bitwise_not(cv2.divide(picture, cv2.max(paper, 1), scale=255))
    else:
        sheet.pixels = cv2.subtract(picture, paper)


def _small(picture: Image, side: int) -> Image:
    """Shrink a picture to this longer side at most, its noise smoothed."""
    height, width = picture.shape
    by = max(1.0, max(height, width) / side)
    size = max(1, round(width / by)), max(1, round(height / by))
    small: Image = cv2.GaussianBlur(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), (3, 3), 0)
    return small


def _square(side: float) -> Image:
    return np.ones((max(3, round(side) | 1),) * 2, np.uint8)


def _filled(small: Image, how: int, part: float) -> Image:
    """Close or open a picture by a square whose side is a part of the longer side.

    Light that falls towards the border is thought to go on falling beyond it; if it ended there, it would look like ink.
    """
    square = _square(part * max(small.shape))
    reach = len(square) // 2
    wide = np.pad(small.astype(np.float32), reach, mode="reflect", reflect_type="odd")
    filled = np.asarray(cv2.morphologyEx(wide, how, square)[reach:-reach, reach:-reach])
    return filled.clip(0, 255).astype(np.uint8)


def _stroke_part(small: Image) -> tuple[bool, float]:
    """Tell whether ink is dark, and a part of the longer side that no stroke is wider than.

    Strokes are narrower than the gaps between them, so of ever larger squares the first that strokes do not fill
    shows them by its closing if they are dark and by its opening if they are light (pattern spectrum: Maragos 1989).
    Thin strokes show in small squares, before the light of a lamp, which only large ones cut into, shows as well.
    """
    closed, opened = (
        np.array([cv2.norm(_filled(small, how, part), small, cv2.NORM_L2SQR) for part in STROKE_PARTS])
        for how in (cv2.MORPH_CLOSE, cv2.MORPH_OPEN)
    )
    dark = closed - opened  # noise shows in both alike
    lead = np.abs(dark)
    alone = (lead >= ALONE * (closed + opened)) & (lead >= FAINT * lead.max())
    is_dark = bool(dark[np.argmax(alone | (lead >= MARKED * lead.max()))] > 0)
    leads = dark if is_dark else -dark
    filled = STROKE_PARTS[np.argmax(leads >= FILLED * leads.max())]
    return is_dark, min(2 * filled, STROKE_PARTS[-1])


def _is_uneven(sheet: Sheet) -> bool:
    """Tell whether much of the paper is neither paper nor ink, or much of the ink is neither."""
    all_ink = inked(sheet)
    # Soft edges of ink are neither paper nor ink, so paper is what lies away from it.
    reach = max(3, max(all_ink.shape) // EDGE_PART | 1)
    near, away = region(ink_box(sheet), reach), np.full_like(all_ink, 255)
    away[near] = cv2.bitwise_not(cv2.dilate(all_ink[near], np.ones((reach, reach), np.uint8)))
    pixels, ink, away = some_rows(sheet.pixels), some_rows(all_ink), some_rows(away)
    strokes, free = cv2.countNonZero(ink), cv2.countNonZero(away)
    if free < MIN_FREE * ink.size:
        return between(sheet.pixels) > MOSTLY_BETWEEN or _peak(pixels, ink) > MAX_TEXTURED
    if strokes == 0:
        return True
    paper = sum_under(pixels, away) / free
    contrast = sum_under(pixels, ink) / strokes - paper
    if touches_border(sheet) and rim_share(all_ink) > MAX_RIM and rim_share(_wide(all_ink)) > MAX_RIM:
        square = _square(BLOB_PART * max(all_ink.shape))
        low, high, _, _ = cv2.minMaxLoc(pixels)
        beyond = max(high - paper, paper + contrast - low)
        if beyond > MAX_PEAK * contrast or cv2.erode(all_ink, square).any():
            return True
    even = cv2.countNonZero(
        cv2.bitwise_and(away, cv2.inRange(pixels, paper - EVEN * contrast, paper + EVEN * contrast))
    )
    return free - even > MAX_UNEVEN * free


def _wide(ink: Image) -> Image:
    """Keep what is wider than a printed line."""
    return opened(ink, (round(THICKEST * min(ink.shape)) + 1,) * 2)


def _peak(pixels: Image, ink: Image) -> float:
    """Tell by how many contrasts of the mean the strongest ink stands out of the paper."""
    paper = cv2.mean(pixels, mask=cv2.bitwise_not(ink))[0]
    return float((cv2.minMaxLoc(pixels)[1] - paper) / max(cv2.mean(pixels, mask=ink)[0] - paper, 1))


def noise(pixels: Image) -> float:
    """Measure the standard deviation of noise, in grey levels.

    Immerkaer's mask (1996), which flat paper and straight edges leave at 0; the median of what it gives, so that
    strokes do not count as noise.
    """
    rough = cv2.filter2D(some_rows_together(pixels), cv2.CV_32F, _IMMERKAER)
    return float(np.median(np.abs(rough))) / (6 * 0.6745)


_IMMERKAER = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def some_rows_together(pixels: Image) -> Image:
    """Take the middle rows of a tall picture, for what needs neighbours."""
    spare = max(0, len(pixels) - 4 * 64) // 2
    return pixels[spare : len(pixels) - spare]


def drop_pepper(sheet: Sheet) -> None:
    """Take salt and pepper off by a median, where there is much of it and strokes are wide enough to stay.

    Pixels that are alone tell: those of a stroke, however thin, have others beside them.
    """
    ink = inked(sheet)
    part = ink[region(ink_box(sheet))]
    if not part.size:
        return
    mean = cv2.blur(part, (3, 3), borderType=cv2.BORDER_CONSTANT)
    alone = cv2.countNonZero(cv2.bitwise_and(cv2.inRange(mean, _ONE_IN_NINE, _ONE_IN_NINE), part))
    if alone < max(MIN_ALONE, MAX_ALONE * ink.size):
        return
    calm = cv2.medianBlur(ink, 3)
    if 2 * cv2.countNonZero(calm) > cv2.countNonZero(ink) - alone:
        sheet.pixels, sheet.ink = cv2.medianBlur(sheet.pixels, 3), calm


#: Mean of nine pixels of a mask of which one is set.
_ONE_IN_NINE = round(255 / 9)


def smooth(sheet: Sheet) -> None:
    """Smooth grainy paper by a Gaussian as wide as the noise asks for."""
    if not sheet.troubled:
        return
    pixels = sheet.pixels
    middle, high = (float(level) for level in np.percentile(some_rows(pixels), (50, 99.5)))
    contrast = max(high - middle, 1.0)
    grain = noise(pixels)
    if grain > QUIET * contrast:
        # White noise of deviation s leaves s / (2 sqrt(pi) w) after a Gaussian of width w.
        width = min(grain / (3.5 * QUIET * contrast), max(pixels.shape) / 60)
        if width > 0.4:
            sheet.pixels = cv2.GaussianBlur(pixels, (0, 0), width)


def find_ink(sheet: Sheet) -> None:
    """Find the ink anew where the paper was evened out: what stands out of the paper's grain by much."""
    if not sheet.troubled:
        return
    pixels = sheet.pixels
    # Ink stands out upwards only, so the darkest third is paper and tells how much it varies, were it normal.
    least, paper = (float(level) for level in np.percentile(some_rows(pixels), (5, 31)))
    grain = max(noise(pixels), (paper - least) / 1.15, 1.0)
    paper += 0.5 * grain
    seen = some_rows(pixels)
    standing_out = seen[seen > paper + CLEARLY * grain + 2]
    if not len(standing_out):
        raise blank("nothing stands out of its paper")
    strong = float(np.percentile(standing_out, 97)) - paper
    edges = _edges(pixels)
    sharp = edges >= min(SHARP, float(edges.max()))
    level = max(paper + max(min(CLEARLY * grain, 0.6 * strong), 0.42 * strong), float(pixels[sharp].mean()))
    sheet.ink = _with_edges(pixels, edges, level, paper + strong)


def _edges(pixels: Image) -> NDArray[np.float32]:
    """Measure how steep the picture is at every pixel, as a share of its steepest edges; shadows fade slowly."""
    across, down = (cv2.Sobel(pixels, cv2.CV_32F, x, 1 - x) for x in (1, 0))
    steep = cv2.magnitude(across, down)
    edges: NDArray[np.float32] = steep / max(float(np.percentile(some_rows(steep), 99.5)), 1.0)
    return edges


def _with_edges(pixels: Image, edges: NDArray[np.float32], level: float, white: float) -> Image:
    """Find the ink above a level that has edges: a shadow has none, and of one that joins a stroke the stroke is taken.

    A stroke in a shadow stands apart from it at some higher level, and there its outline is steep all around.
    """
    steep = cv2.compare(edges, SOFT, cv2.CMP_GE)
    ink = cv2.threshold(pixels, level, 255, cv2.THRESH_BINARY)[1]
    count, labels = cv2.connectedComponents(ink, connectivity=8, ltype=cv2.CV_32S)
    some = np.bincount(labels[steep > 0], minlength=count) > 0
    some[0] = False
    ink = np.where(some[labels], ink, np.uint8(0))
    steep = cv2.dilate(steep, _AROUND)
    outline = cv2.bitwise_and(_outline(ink), steep)
    unclear = some & (_shares(labels, outline, _outline(ink), count) < STEEPLY)
    for part in LEVELS if unclear.any() else ():
        shaded = np.where(unclear[labels], ink, np.uint8(0))
        strong = cv2.bitwise_and(shaded, cv2.compare(pixels, level + part * (white - level), cv2.CMP_GT))
        strokes = _steep_pieces(strong, steep)
        near = cv2.dilate(strokes, _AROUND, iterations=3)
        clear = unclear & (_shares(labels, cv2.bitwise_and(outline, near), outline, count) >= KEPT_STEEP)
        ink = np.where(clear[labels], strokes, ink)
        unclear &= ~clear
    return ink


_AROUND = np.ones((3, 3), np.uint8)


def _outline(ink: Image) -> Image:
    """Mark the outermost pixels of ink; where the border cuts it off there are none."""
    outline: Image = cv2.subtract(ink, cv2.erode(ink, _AROUND))
    return outline


def _shares(labels: NDArray[np.int32], some: Image, every: Image, count: int) -> NDArray[np.float64]:
    """Measure what share of the pixels that `every` marks `some` marks too, piece by piece."""
    marked, of = (np.bincount(labels[mask > 0], minlength=count) for mask in (some, every))
    shares: NDArray[np.float64] = marked / np.maximum(of, 1)
    return shares


def _steep_pieces(ink: Image, steep: Image) -> Image:
    """Keep the pieces of ink whose outline is steep all around."""
    count, labels = cv2.connectedComponents(ink, connectivity=8, ltype=cv2.CV_32S)
    outline = _outline(ink)
    kept = _shares(labels, cv2.bitwise_and(outline, steep), outline, count) >= ALL_STEEP
    kept[0] = False
    return np.where(kept[labels], ink, np.uint8(0))
