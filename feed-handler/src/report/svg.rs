//! Scalable graphics as text: the few shapes the charts need. Colours and fonts come from the page's style.

use std::fmt::{Display, Write};

/// Escapes text for element content and for attributes in double quotes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Not allowed in HTML, and nothing to see.
            c if c.is_control() && c != '\n' && c != '\t' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A picture of `width` by `height` units; the page shows it at that many pixels or smaller.
pub(super) struct Svg {
    body: String,
}

/// Which end of a text stands at its point.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Middle,
    End,
}

impl Svg {
    /// `label` is what the picture shows, for those who cannot see it.
    pub(super) fn new(width: f64, height: f64, class: &str, label: &str) -> Svg {
        let mut body = String::new();
        let _ = writeln!(
            body,
            r#"<svg class="{class}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{}">"#,
            escape(label)
        );
        Svg { body }
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let _ = writeln!(
            self.body,
            r#"<line class="{class}" x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}"/>"#,
            from.0, from.1, to.0, to.1
        );
    }

    pub(super) fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = writeln!(
            self.body,
            r#"<text class="{class}" x="{:.1}" y="{:.1}" text-anchor="{anchor}">{}</text>"#,
            at.0,
            at.1,
            escape(text)
        );
    }

    pub(super) fn path(&mut self, class: &str, points: impl IntoIterator<Item = (f64, f64)>) {
        let mut points = points.into_iter().peekable();
        if points.peek().is_none() {
            return;
        }
        let _ = write!(self.body, r#"<polyline class="{class}" points=""#);
        for (i, (x, y)) in points.enumerate() {
            let gap = if i > 0 { " " } else { "" };
            let _ = write!(self.body, "{gap}{x:.1},{y:.1}");
        }
        self.body.push_str("\"/>\n");
    }

    /// Boxes of one size by their upper left corners, as one element.
    pub(super) fn boxes(&mut self, class: &str, (width, height): (f64, f64), at: &[(f64, f64)]) {
        if at.is_empty() {
            return;
        }
        let _ = write!(self.body, r#"<path class="{class}" d=""#);
        for (x, y) in at {
            let _ = write!(
                self.body,
                "M{x:.1} {y:.1}h{width:.2}v{height:.2}h-{width:.2}z"
            );
        }
        self.body.push_str("\"/>\n");
    }

    /// A point that tells its value when pointed at.
    pub(super) fn dot(&mut self, class: &str, at: (f64, f64), tip: impl Display) {
        let _ = writeln!(
            self.body,
            r#"<circle class="{class}" cx="{:.1}" cy="{:.1}" r="3"><title>{}</title></circle>"#,
            at.0,
            at.1,
            escape(&tip.to_string())
        );
    }

    pub(super) fn finish(mut self) -> String {
        self.body.push_str("</svg>\n");
        self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escapes_the_escape() {
        assert_eq!(
            escape("<b a=\"1\">'&'\u{1b}</b>\n"),
            "&lt;b a=&quot;1&quot;&gt;&#39;&amp;&#39;\u{fffd}&lt;/b&gt;\n"
        );
    }

    #[test]
    fn an_empty_path_is_no_element() {
        let mut svg = Svg::new(10.0, 10.0, "c", "l");
        svg.path("p", []);
        assert!(!svg.finish().contains("polyline"));
    }
}
