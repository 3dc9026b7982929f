"""What becomes of a small file of every kind; the readers are called in this process."""

import io
import json

import openpyxl
import pytest
from pptx import Presentation
from pptx.util import Inches

from indexer.errors import DocumentError
from indexer.formats import (
    book,
    notebook,
    pdf,
    plain,
    restructured,
    separated,
    slides,
    web,
    word,
    workbook,
)
from indexer.formats.extracted import table
from tests.indexer import small_files
from tests.indexer.small_files import paragraph


def test_a_pdf_has_a_heading_a_page_and_skips_empty_ones() -> None:
    found = pdf.read(small_files.pdf("Travel is paid.", "", "Meals too."))
    assert found.text == "## Page 1\n\nTravel is paid.\n\n## Page 3\n\nMeals too."
    assert found.title == ""


def test_a_word_broken_at_a_line_end_is_whole_again() -> None:
    lines = "Tj 0 -14 Td (ment is made) Tj 0 -14 Td (monthly"
    assert pdf.read(small_files.pdf(f"Reimburse-) {lines}")).text.splitlines()[2:] == [
        "Reimbursement is made",
        "monthly",
    ]


def test_pictures_without_text_and_passwords_are_named() -> None:
    with pytest.raises(DocumentError, match=r"no text; run text recognition \(OCR\)"):
        pdf.read(small_files.pdf("", ""))
    with pytest.raises(DocumentError, match="encrypted; save it without a password"):
        pdf.read(small_files.pdf("Secret", encrypted=True))
    with pytest.raises(DocumentError, match="encrypted, or of an old binary format"):
        word.read(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512)


def test_word_headings_lists_and_tables_are_markdown() -> None:
    cells = "".join(
        f"<w:tr><w:tc>{paragraph(left)}</w:tc><w:tc>{paragraph(right)}</w:tc></w:tr>"
        for left, right in (("City", "Limit"), ("Rome", "40"))
    )
    body = paragraph("Travel", "Heading1") + paragraph("Book early.") + f"<w:tbl>{cells}</w:tbl>"
    found = word.read(small_files.docx(body))
    assert found.title == "Travel"
    assert found.text.split("\n\n")[:2] == ["# Travel", "Book early."]
    assert "| Rome | 40 |" in found.text


def test_slides_have_headings_and_keep_tables_and_notes() -> None:
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "Goals"
    slide.placeholders[1].text = "Ship\nRest"
    cells = slide.shapes.add_table(1, 2, Inches(1), Inches(1), Inches(3), Inches(1)).table
    cells.cell(0, 0).text, cells.cell(0, 1).text = "Q1", "90%"
    slide.notes_slide.notes_text_frame.text = "Say it twice."
    deck.slides.add_slide(deck.slide_layouts[6])
    written = io.BytesIO()
    deck.save(written)
    assert slides.read(written.getvalue()).text.strip() == (
        "## Slide 1: Goals\n\n- Ship\n- Rest\n\n| Q1 | 90% |\n| --- | --- |\n\nNotes: Say it twice."
    )


def test_sheets_are_tables_of_what_was_calculated() -> None:
    written, book_of_sheets = io.BytesIO(), openpyxl.Workbook()
    sheet = book_of_sheets.active
    assert sheet is not None
    sheet.title = "Budget"
    sheet.append(["Item", "Cost"])
    sheet.append(["Desk | chair", 40.0])
    sheet["XFD900"] = ""
    book_of_sheets.create_sheet("Empty")
    book_of_sheets.save(written)
    assert workbook.read(written.getvalue()).text == (
        "## Budget\n\n| Item | Cost |\n| --- | --- |\n| Desk \\| chair | 40 |"
    )


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separated_values_are_a_table(separator: str) -> None:
    lines = f"Name{separator}Room\r\nAlice{separator}4\r\n\r\nBob{separator}5\r\n"
    assert separated.read(lines.encode()).text == (
        "| Name | Room |\n| --- | --- |\n| Alice | 4 |\n| Bob | 5 |"
    )


def test_a_page_is_its_main_part() -> None:
    found = web.read(
        b"<html><head><title>Leave &amp; pay</title><style>p{}</style></head><body><nav>Menu</nav>"
        b"<main><h1>Leave</h1><p>30 <b>days</b> <a href='/x'>here</a><img alt='a chart'></p>"
        b"<script>alert(1)</script></main><footer>(c)</footer></body></html>"
    )
    assert found.title == "Leave & pay"
    assert found.text.strip() == "# Leave\n\n30 **days** [here](/x)a chart"


def test_a_book_is_read_in_its_order() -> None:
    chapters = {"b%20c.html": "<h1>Two</h1>", "a.html": "<h1>One</h1>"}
    written = small_files.epub("Tea", chapters, **{"OPS/b c.html": "<h1>Two</h1>"})
    found = book.read(written)
    assert found.title == "Tea"
    assert found.text.split() == ["#", "Two", "#", "One"]


def test_a_protected_book_is_named() -> None:
    with pytest.raises(DocumentError, match="protected against copying"):
        book.read(small_files.epub("Tea", {}, **{"META-INF/rights.xml": "<rights/>"}))


def test_a_notebook_is_prose_and_code_without_output() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Costs\n", "by month"]},
        {"cell_type": "code", "source": "print(1)", "outputs": [{"text": "1"}]},
    ]
    found = notebook.read(json.dumps({"cells": cells, "metadata": {}}).encode())
    assert found.title == "Costs"
    assert found.text == "# Costs\nby month\n\n```python\nprint(1)\n```"


def test_sphinx_pages_lose_no_text_and_show_no_complaints() -> None:
    found = restructured.read(
        b"Guide\n=====\n\nSee :ref:`the rules <rules>` and :pep:`8`.\n\n"
        b".. versionadded:: 3.2\n   Since spring.\n\n.. toctree::\n   :maxdepth: 2\n\n   a\n\n"
        b".. include:: /etc/hostname\n\n.. raw:: html\n\n   <b>raw</b>\n\n"
        b"Part\n----\n\n.. code-block:: sh\n\n   make\n"
    )
    assert found.title == "Guide"
    assert [line for line in found.text.splitlines() if line] == [
        "# Guide",
        "See the rules and [PEP 8](https://peps.python.org/pep-0008).",
        "3.2",
        "Since spring.",
        "## Part",
        "```",
        "make",
        "```",
    ]


def test_text_is_utf8_or_marked_utf16() -> None:
    assert plain.decode("\ufeffCafé".encode()) == "Café"
    assert plain.decode("Café".encode("utf-16")) == "Café"
    with pytest.raises(DocumentError, match="byte 3"):
        plain.decode(b"caf\xe9")
    with pytest.raises(DocumentError, match="NUL"):
        plain.decode(b"a\0b")


def test_a_table_without_cells_is_nothing() -> None:
    assert table([[None, " "], []]) == ""
