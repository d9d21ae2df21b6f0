"""Bodies that nobody should send: at least 200 for any endpoint, made from the schema of what it takes."""

from __future__ import annotations

import json

CANARY = "canary-4111222233334444"  # in place of every personal value

DEEP = {
    f"{name} {depth} deep": opened * depth + inside + closed * depth
    for depth in (2, 50, 500, 990, 5_000, 30_000)
    for name, opened, inside, closed in (("lists", "[", "", "]"), ("objects", '{"a":', "1", "}"), ("mixed", '[{"a":', "1", "}]"), ("open lists", "[", "", ""))
}  # fmt: skip
SCALARS = ["null", "true", "false", "0", "-1", "1.5", '""', '"x"', "[]", "[{}]", "[1,2]", "NaN", "Infinity", "-Infinity", "1e999", "-0", "01", "1.", ".5", "+1",
           "0x10", "1_000", "9" * 5_000, "1e" + "9" * 400, "undefined", "None", "True", "'x'", "`x`", "\\", "/", "-", "e", "{}{}", "{},", ",{}", "{}]", "}", "]", "{",
           "[", '"', '{"', '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', "{a:1}", "{'a':1}", '{"a" 1}', '{"a"=1}', '{1:2}', '{null:1}', '{"a":1}//x', '/**/{"a":1}',
           '{"a":1}\x00', "\x00", '{"a":"\x00"}', '{"a":"\x1f"}', '{"a":"\n"}', '{"a":"\\x41"}', '{"a":"\\u12"}', '{"a":"\\u{41}"}', '{"a":"\\ud800"}', '{"a":"\\udc00"}',
           '{"a":"\\udc00\\ud800"}', '{"\\ud800":1}', '{"a":"\\ud83d\\ude00"}', '{"a":"\\u0000"}', '{"":1}', '{"":{"":{"":1}}}', '{"__proto__":{"x":1}}',
           '{"constructor":1}', '{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '{"a":{"b":1,"b":2}}', '{"a":NaN}', '{"a":-Infinity}', '{"a":1e400}', '{"a":[NaN]}',
           '{"' + "k" * 40_000 + '":1}', '{"a":"' + "v" * 60_000 + '"}', '{"a":"' + "v" * 70_000 + '"}', '{"a":' + "9" * 4_299 + "}", '{"a":' + "9" * 4_301 + "}",
           '{"a":0.' + "1" * 9_000 + "}", "{" + ",".join(f'"k{n}":{n}' for n in range(3_000)) + "}", "[" + "0," * 20_000 + "0]", " " * 60_000, "\t\r\n {} \t\r\n"]  # fmt: skip
BYTES = {
    "utf-8 with a mark": b"\xef\xbb\xbf{}", "two marks": b"\xef\xbb\xbf\xef\xbb\xbf{}", "a mark alone": b"\xef\xbb\xbf", "a lone byte": b"\xff", "overlong": b'{"a":"\xc0\xaf"}',
    "overlong nul": b'{"a":"\xc0\x80"}', "a surrogate as bytes": b'{"a":"\xed\xa0\x80"}', "beyond unicode": b'{"a":"\xf4\x90\x80\x80"}', "cut character": b'{"a":"\xe2\x82',
    "a continuation": b'{"a":"\x80"}', "gzip": b"\x1f\x8b\x08\x00\x00", "zip": b"PK\x03\x04", "pickle": b"\x80\x04K\x01.", "form": b"a=1&b=2", "xml": b"<a/>", "yaml": b"a: 1\n",
    "multipart": b"--x\r\n\r\n1\r\n--x--", "empty": b"", "nul bytes": bytes(1_000), "all bytes": bytes(range(256)),
}  # fmt: skip
WRONG = [None, True, False, 0, -1, 1, 0.1, -0.0, 1e308, -1e308, 5e-324, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**300, "", " ", "\t", "0", "1", "12.5",
         "NaN", "null", "true", "x" * 257, "x" * 20_000, "é" * 300, "\u0000", "a\u0000b", "\ud800", "\U0001f600", "\u202e", "\ufeff", "\u2028", "' or 1=1 --", "${jndi:ldap://x}", "{{7*7}}",
         "%s%n", "../../etc/passwd", "<script>", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-13-45T99:99:99Z", "2026-01-01", "now", "1767225600", [], [None],
         [[]], {}, {"": {}}, [1] * 1_000, {"$ref": "#"}, float("nan"), float("inf")]  # fmt: skip


def corpus(valid: dict[str, object], fields: list[str], personal: set[str]) -> dict[str, bytes]:
    """Bodies by name: broken JSON and text, a valid body cut short, doubled or in other encodings, and each field wrong.

    A personal field's wrong values carry the canary wherever they are text.
    """
    whole = json.dumps(valid)
    found = {f"text {n}": text.encode("utf-8", "surrogatepass") for n, text in enumerate(SCALARS)}
    found |= {name: text.encode() for name, text in DEEP.items()} | dict(BYTES)
    found |= {f"cut at {n}": whole.encode()[:n] for n in range(1, min(len(whole), 60))}
    found |= {
        f"in {code}": whole.encode(code)
        for code in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "utf-8-sig", "cp037")
    }
    found |= {
        f"and {tail!r}": (whole + tail).encode() for tail in ("x", "{}", whole, ",", "\x00", "]", "}", "//", "\ufeff")
    }
    found |= {
        "in a list": f"[{whole}]".encode(),
        "as text": json.dumps(whole).encode(),
        "twice": f"{whole[:-1]},{whole[1:]}".encode(),
    }
    found |= {"one more": json.dumps({**valid, CANARY: CANARY}).encode(), "nothing": b"{}"}
    for name in fields or ["member"]:
        found[f"without {name}"] = json.dumps({k: v for k, v in valid.items() if k != name}).encode()
        found[f"{name} in capitals"] = json.dumps(
            {(k.upper() if k == name else k): v for k, v in valid.items()}
        ).encode()
        for n, wrong in enumerate(WRONG):
            value = CANARY + wrong if name in personal and isinstance(wrong, str) else wrong
            found[f"{name} {n}"] = json.dumps({**valid, name: value}).encode("utf-8", "surrogatepass")
    return found
