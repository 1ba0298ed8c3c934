//! The costs as a picture for `docs/`: one panel for each thing that grows, its number on a logarithmic axis.

use super::Cost;
use std::fmt::Write;

/// One panel: what grows, and what was measured.
pub struct Panel {
    /// What the numbers along the axis count.
    pub title: &'static str,
    /// What stays as it is meanwhile.
    pub others: &'static str,
    /// Number and cost, by number.
    pub points: Vec<(f64, Cost)>,
}

/// Sizes in the picture's units.
const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 46.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 60.0;

/// A line of a panel: its name, its colour, its figure.
type Line = (&'static str, &'static str, fn(&Cost) -> f64);

const LINES: [Line; 3] = [
    ("books, not looking ahead", "#b45309", |cost| cost.blind),
    ("books", "#1d4ed8", |cost| cost.books),
    ("decoding alone", "#64748b", |cost| cost.decode),
];

/// The picture.
pub fn svg(panels: &[Panel]) -> String {
    let most = panels.iter().flat_map(|p| &p.points);
    let most = most
        .map(|(_, cost)| cost.blind.max(cost.books))
        .fold(0.0, f64::max);
    let top = (most / 50.0).ceil().max(1.0) * 50.0;
    let width = panels.len() as f64 * (WIDTH + LEFT) + 20.0;
    let height = TOP + HEIGHT + BOTTOM;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"11\" role=\"img\" aria-label=\"Nanoseconds a message as the market grows\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    for (i, panel) in panels.iter().enumerate() {
        let left = LEFT + i as f64 * (WIDTH + LEFT);
        draw(&mut out, panel, left, top);
    }
    for (i, (name, colour, _)) in LINES.iter().enumerate() {
        let (x, y) = (LEFT + i as f64 * 180.0, height - 10.0);
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{:.1}\" width=\"14\" height=\"3\" fill=\"{colour}\"/><text x=\"{:.1}\" y=\"{y}\">{name}</text>",
            y - 5.0,
            x + 19.0
        );
    }
    out.push_str("</svg>\n");
    out
}

fn draw(out: &mut String, panel: &Panel, left: f64, top: f64) {
    let (first, last) = (
        panel.points[0].0.ln(),
        panel.points[panel.points.len() - 1].0.ln(),
    );
    let x = |n: f64| left + 10.0 + (WIDTH - 40.0) * (n.ln() - first) / (last - first);
    let y = |ns: f64| TOP + HEIGHT * (1.0 - ns / top);
    let _ = writeln!(
        out,
        "<text x=\"{left}\" y=\"{:.1}\" font-weight=\"bold\">ns a message, by {}</text>\
         <text x=\"{left}\" y=\"{:.1}\" fill=\"#475569\">{}</text>",
        TOP - 24.0,
        panel.title,
        TOP - 10.0,
        panel.others
    );
    for step in 0..=(top / 50.0) as u32 {
        let ns = f64::from(step) * 50.0;
        let _ = writeln!(
            out,
            "<line x1=\"{left}\" x2=\"{:.1}\" y1=\"{1:.1}\" y2=\"{1:.1}\" stroke=\"#e2e8f0\"/>\
             <text x=\"{2:.1}\" y=\"{3:.1}\" text-anchor=\"end\" fill=\"#475569\">{ns}</text>",
            left + WIDTH - 20.0,
            y(ns),
            left - 4.0,
            y(ns) + 4.0
        );
    }
    for (n, _) in &panel.points {
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#475569\">{}</text>",
            x(*n),
            TOP + HEIGHT + 16.0,
            short(*n)
        );
    }
    for (_, colour, of) in LINES {
        let place = |(n, cost): &(f64, Cost)| format!("{:.1},{:.1}", x(*n), y(of(cost)));
        let line: Vec<_> = panel.points.iter().map(place).collect();
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            line.join(" ")
        );
        for (n, cost) in &panel.points {
            let _ = writeln!(
                out,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\" fill=\"{colour}\"/>",
                x(*n),
                y(of(cost))
            );
        }
    }
}

/// A round number as people write it.
fn short(n: f64) -> String {
    match n {
        n if n >= 1e6 => format!("{}M", n / 1e6),
        n if n >= 1e3 => format!("{}k", n / 1e3),
        n => n.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Shape;
    use super::*;

    #[test]
    fn every_point_is_drawn_within_the_picture() {
        let point = |n: usize, ns| {
            let shape = Shape {
                symbols: 10,
                orders: n,
                depth: 5,
            };
            let cost = Cost {
                shape,
                decode: 10.0,
                books: ns,
                blind: 2.0 * ns,
                resident: 0,
            };
            (n as f64, cost)
        };
        let panels = ["orders", "symbols"].map(|title| Panel {
            title,
            others: "all else as it is",
            points: vec![point(100, 50.0), point(10_000, 130.0)],
        });
        let svg = svg(&panels);
        let page = roxmltree::Document::parse(&svg).expect("well-formed");
        let circles = page.descendants().filter(|n| n.has_tag_name("circle"));
        let at = |node: roxmltree::Node<'_, '_>, name| -> f64 {
            node.attribute(name).unwrap().parse().unwrap()
        };
        let root = page.root_element();
        let (width, height) = (at(root, "width"), at(root, "height"));
        let mut drawn = 0;
        for circle in circles {
            assert!((0.0..width).contains(&at(circle, "cx")), "{circle:?}");
            assert!((0.0..height).contains(&at(circle, "cy")), "{circle:?}");
            drawn += 1;
        }
        assert_eq!(drawn, 2 * 2 * LINES.len());
        assert!(svg.contains(">10k<"), "{svg}");
    }
}
