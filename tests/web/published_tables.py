"""The published tables of the dashboard (web/published.json): are they those of docs/published.md, number by number,
and does each row average to its printed mIoU? usage: published_tables.py SOURCE_DIR"""
import json
import os
import re
import sys

SOURCE = sys.argv[1]
PAIRS = {"GTA5": "gta5-to-cityscapes", "SYNTHIA": "synthia-to-cityscapes"}
# Headings of docs/published.md -> class names.
SHORT = {"side": "sidewalk", "build": "building", "light": "traffic light", "sign": "traffic sign",
         "veg": "vegetation", "terr": "terrain", "pers": "person", "motor": "motorcycle", "bike": "bicycle"}
MARK = " †"  # a doubtful row
TOLERANCE = 0.1


def read(name):
    with open(os.path.join(SOURCE, name), encoding="utf-8") as f:
        return f.read()


TABLES = json.loads(read("web/published.json"))
ROWS = TABLES["rows"]
PAGE = read("docs/published.md")


def cells(line):
    return [c.strip() for c in line.strip().strip("|").split("|")]


def documented():
    """(pair, backbone, method) -> (doubtful, {class: IoU}, {count: mIoU}) of the tables of docs/published.md."""
    rows, head = {}, None
    for line in PAGE.splitlines():
        if not line.startswith("|"):
            head = None
        elif head is None:
            head = cells(line)
        elif head[0].split(",")[0] in PAIRS and not line.startswith("|-"):
            source, backbone = head[0].split(", ")
            row = cells(line)
            assert len(row) == len(head), line
            number = dict(zip(head[1:], map(float, row[1:])))
            key = PAIRS[source], backbone, row[0].removesuffix(MARK)
            assert key not in rows, key
            rows[key] = (row[0].endswith(MARK),
                         {SHORT.get(h, h): v for h, v in number.items() if not h.startswith("mIoU")},
                         {h.split()[1]: v for h, v in number.items() if h.startswith("mIoU")})
    return rows


def where(row):
    return "%s, %s, %s" % (row["pair"], row["backbone"], row["method"])


def the_documentation_has_the_same_rows():
    rows = documented()
    assert len(rows) == len(ROWS) > 10, (len(rows), len(ROWS))
    for row in ROWS:
        doubtful, iou, miou = rows[row["pair"], row["backbone"], row["method"]]
        assert iou == {n: v for n, v in row["iou"].items() if v is not None}, where(row)
        assert miou == row["miou"], where(row)
        assert doubtful == (row["note"] is not None), where(row)


def the_documentation_says_every_doubt():
    page = " ".join(PAGE.split())
    for row in ROWS:
        assert row["note"] is None or row["note"] in page, row["note"]


def rows_average_to_their_mean():
    """Where one does not, its note says so."""
    for row in ROWS:
        for count, printed in row["miou"].items():
            names = TABLES["classes"][count]
            assert len(names) == int(count)
            mean = sum(row["iou"][n] for n in names) / len(names)
            assert abs(mean - printed) <= TOLERANCE or row["note"], "%s: %.2f, not %s" % (where(row), mean, printed)


def classes_are_those_of_the_class_sets():
    text = re.search(r"CITYSCAPES\[\] = \{(.*?)\n\};", read("core/data/classes.c"), re.S).group(1)
    names = re.findall(r'\{"([^"]+)"', text)
    assert TABLES["classes"]["19"] == names, names
    assert set(TABLES["classes"]["13"]) < set(TABLES["classes"]["16"]) < set(names)
    for row in ROWS:
        assert list(row["iou"]) == names, where(row)
        most = TABLES["classes"][max(row["miou"], key=int)]
        assert [n for n in names if row["iou"][n] is not None] == most, where(row)


def rows_can_be_told_apart_and_have_a_source():
    assert len({r["id"] for r in ROWS}) == len(ROWS)
    assert {r["source"] for r in ROWS} == set(TABLES["sources"])
    assert {r["pair"] for r in ROWS} == set(PAIRS.values())


def main():
    checks = [the_documentation_has_the_same_rows, the_documentation_says_every_doubt, rows_average_to_their_mean,
              classes_are_those_of_the_class_sets, rows_can_be_told_apart_and_have_a_source]
    failed = 0
    for number, check in enumerate(checks, 1):
        name = check.__name__.replace("_", " ")
        try:
            check()
            print("ok %d - %s" % (number, name))
        except (AssertionError, KeyError) as e:
            failed += 1
            print("not ok %d - %s\n  # %r" % (number, name, e))
    print("1..%d" % len(checks))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
