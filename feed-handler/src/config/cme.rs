//! CME's list of channels, the `config.xml` that it publishes for its market data: which groups carry a channel.
//!
//! ```xml
//! <configuration environment="...">
//!   <channel id="310" label="...">
//!     <connections>
//!       <connection id="310IA">
//!         <type feed-type="I">Incremental</type>
//!         <protocol>UDP/IP</protocol>
//!         <ip>224.0.31.1</ip>
//!         <port>14310</port>
//!         <feed>A</feed>
//!       </connection>
//! ```
//!
//! Of a channel's feeds the incremental one is taken (`feed-type` `I`), a line for each of its connections.

use roxmltree::{Document, Node};
use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

/// Bytes of a file at most; the exchange's has some hundred thousand.
const BYTES_MAX: u64 = 16 << 20;

/// Channels named when the one asked for is not there.
const NAMED_MAX: usize = 10;

/// Where one of the lines of a channel comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Connection {
    /// `A` or `B`.
    pub feed: String,
    pub group: SocketAddrV4,
}

/// The connections of a channel's incremental feed, `A` first. Why there are none: the file, the place in it where there
/// is one, and what is wrong there.
pub(super) fn read(path: &Path, channel_id: u64) -> Result<Vec<Connection>, String> {
    let text = text(path).map_err(|e| format!("{}: cannot be read: {e}", path.display()))?;
    let found = connections(&text, channel_id);
    found.map_err(|e| match e.place {
        Some((line, column)) => format!("{}:{line}:{column}: {}", path.display(), e.message),
        None => format!("{}: {}", path.display(), e.message),
    })
}

fn text(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    let about = file.metadata().map_err(|e| e.to_string())?;
    if !about.is_file() || about.len() > BYTES_MAX {
        return Err(format!("expected a file of at most {BYTES_MAX} bytes"));
    }
    let mut text = String::new();
    let read = file.take(BYTES_MAX).read_to_string(&mut text);
    read.map_err(|e| e.to_string())?;
    Ok(text)
}

/// What is wrong with a list.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    /// Line and column, from 1.
    place: Option<(u32, u32)>,
    message: String,
}

impl Wrong {
    fn at(node: Node<'_, '_>, message: String) -> Wrong {
        let place = node.document().text_pos_at(node.range().start);
        Wrong {
            place: Some((place.row, place.col)),
            message,
        }
    }
}

fn connections(text: &str, channel_id: u64) -> Result<Vec<Connection>, Wrong> {
    let document = Document::parse(text).map_err(|e| Wrong {
        place: Some((e.pos().row, e.pos().col)),
        message: e.to_string(),
    })?;
    let channels = || document.descendants().filter(|n| is(n, "channel"));
    let asked = channel_id.to_string();
    let Some(channel) = channels().find(|c| c.attribute("id") == Some(&asked)) else {
        let mut ids: Vec<_> = channels().filter_map(|c| c.attribute("id")).collect();
        let more = if ids.len() > NAMED_MAX { ", ..." } else { "" };
        ids.truncate(NAMED_MAX);
        let message = match ids.len() {
            0 => "no channels: expected CME's list of channels".to_owned(),
            _ => format!("no channel {asked}; it has {}{more}", ids.join(", ")),
        };
        let place = None;
        return Err(Wrong { place, message });
    };
    let incremental = |n: &Node<'_, '_>| {
        let kind = child(n, "type").and_then(|kind| kind.attribute("feed-type"));
        is(n, "connection") && kind == Some("I")
    };
    let found = channel.descendants().filter(incremental).map(connection);
    let mut found: Vec<Connection> = found.collect::<Result<_, _>>()?;
    if found.is_empty() {
        let message = format!("channel {asked} has no connection of `feed-type` \"I\"");
        return Err(Wrong::at(channel, message));
    }
    found.sort_by(|a, b| a.feed.cmp(&b.feed));
    if let Some(pair) = found.windows(2).find(|pair| pair[0].feed == pair[1].feed) {
        let message = format!(
            "channel {asked} has two connections of feed {}",
            pair[0].feed
        );
        return Err(Wrong::at(channel, message));
    }
    Ok(found)
}

fn connection(node: Node<'_, '_>) -> Result<Connection, Wrong> {
    let protocol = value(&node, "protocol")?;
    if !protocol.to_ascii_uppercase().starts_with("UDP") {
        let message = format!("an incremental feed over {protocol:?}: expected UDP/IP");
        return Err(Wrong::at(node, message));
    }
    let ip = value(&node, "ip")?.parse::<Ipv4Addr>().ok();
    let ip = ip.filter(|ip| ip.is_multicast());
    let port = value(&node, "port")?.parse::<u16>().ok();
    let (Some(ip), Some(port @ 1..)) = (ip, port) else {
        let message = "expected an IPv4 multicast group in `ip` and a port in `port`";
        return Err(Wrong::at(node, message.into()));
    };
    Ok(Connection {
        feed: value(&node, "feed")?.to_owned(),
        group: SocketAddrV4::new(ip, port),
    })
}

/// Whether an element has this name, in whichever namespace.
fn is(node: &Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

fn child<'a, 'i>(node: &Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|n| is(n, name))
}

/// The text of an element inside another.
fn value<'a>(node: &Node<'a, '_>, name: &str) -> Result<&'a str, Wrong> {
    let text = child(node, name).and_then(|found| found.text());
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    text.ok_or_else(|| Wrong::at(*node, format!("a connection without `{name}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(connections: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?>\n<configuration environment=\"test\">\n<channel id=\"9\"/>\n\
             <channel id=\"310\" label=\"E-mini\"><products/><connections>\n{connections}</connections></channel>\n\
             </configuration>\n"
        )
    }

    fn one(kind: &str, protocol: &str, ip: &str, port: &str, feed: &str) -> String {
        format!(
            "<connection id=\"310\"><type feed-type=\"{kind}\">x</type><protocol>{protocol}</protocol>\
             <ip>{ip}</ip><host-ip>10.1.1.1</host-ip><port>{port}</port><feed>{feed}</feed></connection>\n"
        )
    }

    #[test]
    fn the_incremental_lines_are_found() {
        let text = list(
            &[
                one("N", "UDP/IP", "224.0.28.62", "6310", "A"),
                one("I", "UDP/IP", "224.0.32.1", "15310", "B"),
                one("I", "UDP/IP", " 224.0.31.1 ", "14310", "A"),
                one("H", "TCP/IP", "10.2.3.4", "10000", "A"),
            ]
            .concat(),
        );
        let line = |feed: &str, group: &str| Connection {
            feed: feed.into(),
            group: group.parse().unwrap(),
        };
        let want = [line("A", "224.0.31.1:14310"), line("B", "224.0.32.1:15310")];
        assert_eq!(connections(&text, 310).unwrap(), want);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let good = one("I", "UDP/IP", "224.0.31.1", "14310", "A");
        for (text, id, place, message) in [
            ("<a>", 1, Some((1, 1)), "never closed"),
            ("<a/>", 1, None, "no channels"),
            (&list(&good), 7, None, "no channel 7; it has 9, 310"),
            (&list(&good), 9, Some((3, 1)), "channel 9 has no connection"),
            (
                &list(&[&good[..], &good].concat()),
                310,
                Some((4, 1)),
                "two connections",
            ),
            (
                &list(&one("I", "TCP/IP", "224.0.31.1", "1", "A")),
                310,
                Some((5, 1)),
                "expected UDP/IP",
            ),
            (
                &list(&one("I", "UDP/IP", "10.0.0.1", "1", "A")),
                310,
                Some((5, 1)),
                "multicast group",
            ),
            (
                &list(&one("I", "UDP/IP", "224.0.31.1", "0", "A")),
                310,
                Some((5, 1)),
                "a port",
            ),
            (
                &list(&one("I", "UDP/IP", "224.0.31.1", "1", "")),
                310,
                Some((5, 1)),
                "without `feed`",
            ),
        ] {
            let wrong = connections(text, id).unwrap_err();
            assert_eq!(wrong.place, place, "{wrong:?}");
            assert!(wrong.message.contains(message), "{wrong:?}");
        }
    }
}
