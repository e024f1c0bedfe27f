"""Codes drawn and read back: from PNG, JPEG, SVG and the terminal drawing."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET

import pytest
from PIL import Image
from rich.text import Text

from credentials.errors import (
    NoCodeInPicture,
    NotAPicture,
    PictureTooLarge,
    QrTooLarge,
    SeveralCodes,
)
from credentials.qr import QrCode, capacity, draw, pictures, read_image, read_one
from credentials.qr.codes import MAX_VERSION

ALPHANUMERIC = "VP1-R" + "6BF+70%Q." * 30
BYTES = "openid4vp://?request=eyJhbGciOiJFUzI1NiJ9.甲"


def image_of(rows: list[list[bool]], scale: int = 4) -> Image.Image:
    small = Image.frombytes(
        "L",
        (len(rows[0]), len(rows)),
        bytes(0 if black else 255 for row in rows for black in row),
    )
    return small.resize((small.width * scale, small.height * scale), Image.Resampling.NEAREST)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def beside(*pictures_: bytes) -> Image.Image:
    images = [Image.open(io.BytesIO(data)).convert("L") for data in pictures_]
    sheet = Image.new("L", (sum(i.width for i in images) + 40, max(i.height for i in images)), 255)
    at = 0
    for image in images:
        sheet.paste(image, (at, 0))
        at += image.width + 40
    return sheet


@pytest.mark.parametrize("text", [ALPHANUMERIC, BYTES, "A", "中文"])
def test_a_png_is_read_back(text: str) -> None:
    assert read_one(draw(text, "png")) == text


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP", "GIF"])
def test_common_formats_are_read(form: str) -> None:
    image = Image.open(io.BytesIO(draw(ALPHANUMERIC, "png"))).convert("L")
    assert read_one(encoded(image, form)) == ALPHANUMERIC


def test_the_largest_code_is_read_back_from_a_jpeg() -> None:
    text = "0A" * (capacity(alphanumeric=True) // 2)
    image = Image.open(io.BytesIO(QrCode.of(text).png())).convert("RGB")
    assert read_one(encoded(image, "JPEG", quality=70)) == text


def test_a_turned_photograph_is_read() -> None:
    image = Image.open(io.BytesIO(draw(ALPHANUMERIC, "png"))).convert("L")
    assert read_one(image.rotate(17, expand=True, fillcolor=255)) == ALPHANUMERIC


def test_a_transparent_ground_counts_as_paper() -> None:
    image = Image.open(io.BytesIO(draw(ALPHANUMERIC, "png"))).convert("L")
    clear = Image.new("RGBA", image.size, (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), mask=image.point(lambda v: 255 - v))
    assert read_one(encoded(clear, "PNG")) == ALPHANUMERIC


@pytest.mark.parametrize("quiet_zone", [2, 4])
def test_the_terminal_drawing_is_read_back(quiet_zone: int) -> None:
    code = QrCode.of(ALPHANUMERIC)
    rows: list[list[bool]] = []
    for line in code.terminal(quiet_zone).split("\n"):
        upper: list[bool] = []
        lower: list[bool] = []
        colours = (False, False)
        for found in re.finditer(r"\x1b\[38;5;(\d+);48;5;(\d+)m|\x1b\[0m|(▀)", line):
            if found[3]:
                upper.append(colours[0])
                lower.append(colours[1])
            elif found[1]:
                assert {found[1], found[2]} <= {"16", "231"}  # explicit black and white
                colours = (found[1] == "16", found[2] == "16")
        rows += [upper, lower]
    assert code.terminal_size(quiet_zone) == (len(rows[0]), len(rows) // 2)
    assert read_one(image_of(rows)) == ALPHANUMERIC


def test_the_rich_drawing_shows_the_same_modules() -> None:
    code = QrCode.of("HELLO")
    drawing = code.text(2)
    assert isinstance(drawing, Text)
    lines = drawing.plain.split("\n")
    assert {len(line) for line in lines} == {code.side + 4}
    colours = {(str(span.style)) for span in drawing.spans}
    assert colours <= {f"#{u} on #{v}" for u in ("000000", "ffffff") for v in ("000000", "ffffff")}


def test_the_svg_shows_the_same_modules() -> None:
    code = QrCode.of(ALPHANUMERIC)
    root = ET.fromstring(code.svg())  # noqa: S314 - our own drawing
    ground, path = root
    assert (ground.get("fill"), path.get("fill")) == ("#ffffff", "#000000")
    rows = [[False] * (code.side + 8) for _ in range(code.side + 8)]
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)", path.get("d") or ""):
        for column in range(int(x), int(x) + int(width)):
            rows[int(y)][column] = True
    assert rows == code.bordered(4)
    assert read_one(image_of(rows)) == ALPHANUMERIC


def test_a_png_has_at_least_four_pixels_a_module() -> None:
    code = QrCode.of("HELLO")
    image = Image.open(io.BytesIO(code.png()))
    assert image.size == (4 * (code.side + 8),) * 2
    border = image.convert("L").crop((0, 0, image.width, 16))
    assert border.getextrema() == (255, 255)
    for wrong in ({"scale": 3}, {"quiet_zone": 1}):
        with pytest.raises(ValueError, match="module"):
            code.png(**wrong)


def test_capacity_is_exact() -> None:
    for version in (1, 9, 10, MAX_VERSION, 26, 27, 40):
        for alphanumeric, character in ((True, "A"), (False, "a")):
            room = capacity(version, alphanumeric=alphanumeric)
            assert QrCode.of(character * room, max_version=version).version == version
            with pytest.raises(QrTooLarge) as caught:
                QrCode.of(character * (room + 1), max_version=version)
            assert (caught.value.params["size"], caught.value.params["limit"]) == (room + 1, room)


def test_alphanumeric_text_takes_a_smaller_code() -> None:
    assert QrCode.of("A" * 400).version < QrCode.of("a" * 400).version


# Bad pictures


def test_a_picture_without_a_code_is_said_to_have_none() -> None:
    for picture in (Image.new("L", (300, 300), 255), Image.linear_gradient("L")):
        with pytest.raises(NoCodeInPicture):
            read_image(encoded(picture, "PNG"))


def test_half_a_code_is_no_code() -> None:
    image = Image.open(io.BytesIO(draw(ALPHANUMERIC, "png"))).convert("L")
    with pytest.raises(NoCodeInPicture):
        read_image(image.crop((0, 0, image.width, image.height // 2)))


def test_several_codes_are_not_guessed_at() -> None:
    sheet = beside(draw("FIRST", "png"), draw("SECOND", "png"))
    assert sorted(read_image(sheet)) == ["FIRST", "SECOND"]
    with pytest.raises(SeveralCodes):
        read_one(sheet)


def test_the_same_code_twice_is_one_answer() -> None:
    assert read_one(beside(draw("SAME", "png"), draw("SAME", "png"))) == "SAME"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a picture",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0" + bytes(50),
        b"GIF89a" + bytes(20),
        b"BM" + bytes(60),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
    ],
)
def test_what_is_no_picture_is_named_so(data: bytes) -> None:
    with pytest.raises(NotAPicture):
        read_image(data)


def test_every_cut_of_a_png_is_refused_by_name() -> None:
    data = draw("HELLO", "png")
    pixels_end = data.index(b"IEND") - 4
    for length in range(0, pixels_end - 20, 7):
        with pytest.raises((NotAPicture, NoCodeInPicture)):
            read_image(data[:length])


def test_a_picture_of_too_many_pixels_is_not_unpacked() -> None:
    bomb = encoded(Image.new("1", (20_000, 20_000)), "PNG")
    assert len(bomb) < 100_000
    with pytest.raises(PictureTooLarge):
        read_image(bomb)


def test_a_picture_beyond_the_limits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = draw("HELLO", "png")
    monkeypatch.setattr(pictures, "MAX_PICTURE_BYTES", len(data) - 1)
    with pytest.raises(PictureTooLarge):
        read_image(data)
    monkeypatch.setattr(pictures, "MAX_PICTURE_BYTES", len(data))
    monkeypatch.setattr(pictures, "MAX_PICTURE_PIXELS", 100)
    with pytest.raises(PictureTooLarge):
        read_image(Image.open(io.BytesIO(data)))
