"""A page of HTML taken apart: its elements, attributes, text, and the data in its scripts."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """Elements, attributes and the text of the page, as a browser would see them."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.attributes, self.texts, self.data = [], [], [], {}
        self._open = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append(tag)
        self.attributes += [(tag, name, value) for name, value in attributes]
        self._open.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, text):
        tag, attributes = self._open[-1] if self._open else ("", {})
        if tag in ("script", "style"):
            key = attributes.get("id") or tag
            self.data[key] = self.data.get(key, "") + text
        else:
            self.texts.append(text)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())
