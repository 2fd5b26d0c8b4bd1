"""What the import makes of files that are not as they should be."""

import io

import pytest

from infra.importing.reading import MAX_ROW, CellRow, CsvFile, UnreadableRow, WrongFile, decoded


def opened(content: bytes) -> CsvFile:
    return CsvFile(decoded(io.BytesIO(content)))


def rows_of(content: bytes) -> list[CellRow | UnreadableRow]:
    return list(opened(content))


def test_rows_come_with_their_number_and_the_line_they_start_on() -> None:
    rows = rows_of(b'a,b\n1,"two\nlines"\n\n3,4\n')

    assert rows == [CellRow(1, 2, ["1", "two\nlines"]), CellRow(2, 5, ["3", "4"])]


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert opened(b"\xef\xbb\xbfa,b\n").header == ("a", "b")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_may_end_as_on_any_system(end: bytes) -> None:
    assert rows_of(end.join([b"a,b", b"1,2", b"3,4"])) == [
        CellRow(1, 2, ["1", "2"]),
        CellRow(2, 3, ["3", "4"]),
    ]


def test_latin_1_bytes_spoil_their_row_and_no_other() -> None:
    first, second, third = rows_of("a,b\n1,2\nCafé,4\n5,ü\n".encode("latin-1"))

    assert first == CellRow(1, 2, ["1", "2"])
    assert second == UnreadableRow(
        2, 3, "not UTF-8 (byte 0xE9 in column 'a'): save the file as UTF-8"
    )
    assert third == UnreadableRow(
        3, 4, "not UTF-8 (byte 0xFC in column 'b'): save the file as UTF-8"
    )


def test_letters_of_every_script_are_text() -> None:
    assert rows_of("a\nCafé 東京 🎬\n".encode()) == [CellRow(1, 2, ["Café 東京 🎬"])]


def test_utf_16_is_named_as_such() -> None:
    with pytest.raises(WrongFile, match="UTF-16"):
        opened("a,b\n".encode("utf-16"))


def test_an_empty_file_has_no_header() -> None:
    with pytest.raises(WrongFile, match="is empty"):
        opened(b"")


def test_a_file_of_nothing_but_a_header_has_no_rows() -> None:
    assert rows_of(b"a,b") == []


def test_a_missing_column_is_answered_with_those_there_are() -> None:
    with pytest.raises(WrongFile, match=r"no column 'c'\. The file has: 'a', 'b'\.$"):
        opened(b"a,b\n").column("c")


def test_a_single_column_raises_the_question_of_the_separator() -> None:
    with pytest.raises(WrongFile, match=r"'a;b'\. Cells are separated by commas"):
        opened(b"a;b\n").column("a")


def test_a_column_named_twice_cannot_be_chosen() -> None:
    with pytest.raises(WrongFile, match="2 columns are named 'a'"):
        opened(b"a,a\n").column("a")


def test_columns_are_found_whatever_space_is_around_their_names() -> None:
    assert opened(b"a, b \n").column(" b") == 1


@pytest.mark.parametrize("row", [b"1", b"1,2,3"])
def test_a_row_must_have_as_many_cells_as_the_header(row: bytes) -> None:
    first, second = rows_of(b"a,b\n" + row + b"\n1,2\n")

    assert first == UnreadableRow(1, 2, f"{row.count(b',') + 1} cells where the header has 2")
    assert second == CellRow(2, 3, ["1", "2"])


def test_an_unclosed_quotation_mark_is_reported_with_the_lines_it_took() -> None:
    first, second = rows_of(b'a,b\n1,2\n"3,4\n5,6\n')

    assert first == CellRow(1, 2, ["1", "2"])
    assert isinstance(second, UnreadableRow)
    assert second.line == 3
    assert "lines 3 to 4; is a quotation mark not closed?" in second.reason


def test_reading_goes_on_behind_a_misplaced_quotation_mark() -> None:
    first, second = rows_of(b'a,b\n"1"x,2\n3,4\n')

    assert isinstance(first, UnreadableRow)
    assert second == CellRow(2, 3, ["3", "4"])


def test_nul_bytes_come_through_for_the_plan_to_judge() -> None:
    assert rows_of(b"a\n1\0\n") == [CellRow(1, 2, ["1\0"])]


@pytest.mark.parametrize("closing", [b"", b'"'])
def test_a_field_without_an_end_does_not_fill_the_memory(closing: bytes) -> None:
    huge = b'"' + b"x" * (3 * MAX_ROW) + closing
    first, second = rows_of(b"a,b\n" + huge + b",1\n3,4\n")

    assert isinstance(first, UnreadableRow)
    assert second == CellRow(2, 3, ["3", "4"])


def test_a_row_over_very_many_lines_is_given_up() -> None:
    row = next(iter(opened(b"a,b\n" + b'"x\n",' * MAX_ROW)))

    assert isinstance(row, UnreadableRow)
    assert "longer than 1,048,576 characters (lines 2 to " in row.reason


def test_a_header_without_an_end_is_no_header() -> None:
    with pytest.raises(WrongFile, match="the first line"):
        opened(b"a" * (2 * MAX_ROW))


def test_what_has_been_read_is_told_for_a_progress_bar() -> None:
    file = opened(b"a,b\n1,2\n3,4\n")
    assert file.characters_read == 4
    assert len(list(file)) == 2
    assert file.characters_read == 12
