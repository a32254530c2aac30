//! The plain text of an HTML mail, for readers that show no HTML, and for filters that compare the two.

/// Text that grows word by word, with gaps as wide as the HTML around it asks.
#[derive(Default)]
pub(crate) struct PlainText {
    text: String,
    gap: Gap,
    /// What the elements of a link that are open lead to.
    links: Vec<Option<String>>,
    /// The element whose text nobody sees, while it is open.
    hidden: Option<String>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Space,
    Line,
    Paragraph,
}

impl PlainText {
    /// An element begins.
    pub(crate) fn open(&mut self, element: &str) {
        self.widen(gap_around(element));
        match element {
            "style" | "title" | "script" => self.hidden = Some(element.to_owned()),
            "a" => self.links.push(None),
            "li" => {
                self.word("-");
                self.widen(Gap::Space);
            }
            _ => {}
        }
    }

    /// The link that was opened last leads there.
    pub(crate) fn leads_to(&mut self, target: String) {
        if let Some(link) = self.links.last_mut() {
            *link = Some(target);
        }
    }

    /// An element ends.
    pub(crate) fn close(&mut self, element: &str) {
        if self.hidden.as_deref() == Some(element) {
            self.hidden = None;
        }
        if element == "a"
            && let Some(Some(target)) = self.links.pop()
        {
            self.widen(Gap::Space);
            self.word(&format!("<{target}>"));
        }
        self.widen(gap_around(element));
    }

    /// Text stands there.
    pub(crate) fn text(&mut self, text: &str) {
        if self.hidden.is_some() {
            return;
        }
        if text.starts_with(char::is_whitespace) {
            self.widen(Gap::Space);
        }
        for word in text.split_whitespace() {
            self.word(word);
            self.gap = Gap::Space;
        }
        if !text.ends_with(char::is_whitespace) && !text.is_empty() {
            self.gap = Gap::None;
        }
    }

    /// Takes the text.
    pub(crate) fn finish(self) -> String {
        self.text
    }

    fn widen(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    fn word(&mut self, word: &str) {
        if !self.text.is_empty() {
            self.text.push_str(match self.gap {
                Gap::None => "",
                Gap::Space => " ",
                Gap::Line => "\n",
                Gap::Paragraph => "\n\n",
            });
        }
        self.gap = Gap::None;
        self.text.push_str(word);
    }
}

/// How far an element stands from what is before and behind it.
fn gap_around(element: &str) -> Gap {
    match element {
        "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "table" | "ul" | "ol" | "blockquote" | "hr" => {
            Gap::Paragraph
        }
        "br" | "div" | "tr" | "li" | "section" | "header" | "footer" | "main" | "center" | "dt" | "dd" => {
            Gap::Line
        }
        "td" | "th" => Gap::Space,
        _ => Gap::None,
    }
}
