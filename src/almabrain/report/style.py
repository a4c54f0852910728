"""How figures look, and how they get into a page."""

import base64
import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager

PAGE_WIDTH_IN, PAGE_PIXELS_PER_IN = 11.5, 100
SEQUENTIAL = "inferno"  # perceptually uniform, dark where there is nothing
DIVERGING = "RdBu_r"  # for residuals and errors, white at 0
SERIES = ("#0f5c8c", "#c8502d", "#3b7d4f", "#7a4f9a", "#8a6d1d", "#555555")
SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.5,
    "image.origin": "lower",
    "image.interpolation": "nearest",
    "savefig.dpi": 200,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Draw figures within this block: the page's fonts and lines, and no window system."""
    import matplotlib

    with matplotlib.rc_context(SETTINGS):
        yield


def new_figure(width_in: float, height_in: float, layout: str = "constrained"):
    """An empty matplotlib figure, free of pyplot; `layout` is compressed where axes are pictures."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout=layout)
    FigureCanvasAgg(figure)
    return figure


def data_uri(figure) -> tuple[str, int]:
    """A figure as a PNG within a URI, so that the page needs no other file, and its width in page pixels.

    Cut to what is drawn: neither does a label lose its end, nor is there white space around.
    """
    buffer = io.BytesIO()
    # Without the software's name in the file, the same data give the same bytes.
    dpi = SETTINGS["savefig.dpi"]
    options = {"dpi": dpi, "bbox_inches": "tight", "pad_inches": 0.04, "metadata": {"Software": None}}
    figure.savefig(buffer, format="png", **options)
    png = buffer.getvalue()
    width, _ = struct.unpack(">II", png[16:24])
    dots_per_pixel = dpi / PAGE_PIXELS_PER_IN
    return "data:image/png;base64," + base64.b64encode(png).decode(), round(width / dots_per_pixel)


def plain_ticks(axis) -> None:
    """Write the ticks of a logarithmic axis as plain numbers at 1, 2 and 5."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def brightness_unit(largest_jy: float) -> tuple[float, str]:
    """Factor and prefix of the unit in which a brightness of `largest_jy` reads well: (1e3, "mJy")."""
    for factor, name in ((1.0, "Jy"), (1e3, "mJy")):
        if abs(largest_jy) * factor >= 0.5:
            return factor, name
    return 1e6, "µJy"
