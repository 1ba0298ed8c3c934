//! What clients say: JSON objects, one a message. What cannot be meant is refused with what was expected.

use crate::subscribe::Glob;
use crate::tail::kind_named;
use feed_common::event::Kind;
use serde::{Deserialize, Serialize};

/// Symbols, and kinds, that one subscription can name.
pub const NAMED_MAX: usize = 64;

/// A message of a client.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
pub enum Request {
    /// The first one, and only that.
    Hello(Hello),
    /// Records from now on, behind the latest quotes.
    Subscribe(Subscribe),
    /// No more of that subscription.
    Unsubscribe {
        /// Which.
        id: u32,
    },
    /// A sign of life.
    Pong,
}

/// How a client wants to be served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hello {
    /// Who it is, where tokens are asked for and no header said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// How records are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Form>,
    /// What happens when it is too slow.
    pub policy: Policy,
    /// Records that wait for it at most; not more than the gateway allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<usize>,
}

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Objects, many to a message.
    Json,
    /// Native batches.
    Binary,
}

/// What happens when a record finds a client's queue full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Everything in the queue is passed over: the client goes on with the newest.
    Skip,
    /// The newest state of each instrument waits for room, in the place of older ones.
    #[default]
    Conflate,
    /// The client is dropped: for those who cannot go on with a record missing.
    Disconnect,
}

/// A wish for records.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Subscribe {
    /// The client's number for it; one that it has already is replaced.
    pub id: u32,
    /// Patterns of symbols by their whole names, at least one; `*` is all.
    pub symbols: Vec<String>,
    /// Kinds of records; all where none is named.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Whether the latest quotes come first, where best prices are among the kinds.
    #[serde(default = "yes")]
    pub snapshot: bool,
}

fn yes() -> bool {
    true
}

/// What is wrong with a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// No such message.
    #[error("not a request: {0}")]
    Syntax(String),
    /// Nothing, or too much.
    #[error("expected 1 to {NAMED_MAX} symbols and at most {NAMED_MAX} kinds")]
    Number,
    /// A symbol that none can be.
    #[error("symbols: {0}")]
    Symbol(#[from] crate::subscribe::GlobError),
    /// A kind that there is not.
    #[error("kinds: there is no kind {0:?}")]
    Kind(String),
}

impl Request {
    /// Reads a message.
    pub fn parse(bytes: &[u8]) -> Result<Request, RequestError> {
        serde_json::from_slice(bytes).map_err(|e| RequestError::Syntax(e.to_string()))
    }
}

impl Subscribe {
    /// What it names.
    pub fn names(&self) -> Result<(Vec<Glob>, Vec<Kind>), RequestError> {
        let number = (1..=NAMED_MAX).contains(&self.symbols.len());
        if !number || self.kinds.len() > NAMED_MAX {
            return Err(RequestError::Number);
        }
        let globs = self.symbols.iter().map(|text| text.parse());
        let kinds = self.kinds.iter().map(|name| {
            let unknown = || RequestError::Kind(name.chars().take(32).collect());
            kind_named(name).ok_or_else(unknown)
        });
        Ok((
            globs.collect::<Result<_, _>>()?,
            kinds.collect::<Result<_, _>>()?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let request = Request::parse(text.as_bytes());
        let names = request.and_then(|request| match request {
            Request::Subscribe(subscribe) => subscribe.names().map(drop),
            _ => Ok(()),
        });
        names.unwrap_err().to_string()
    }

    #[test]
    fn what_is_left_out_is_as_documented() {
        let hello = Request::parse(br#"{"op":"hello"}"#);
        assert_eq!(hello, Ok(Request::Hello(Hello::default())));
        let text = br#"{"op":"subscribe","id":3,"symbols":["A*"]}"#;
        let Ok(Request::Subscribe(it)) = Request::parse(text) else {
            panic!("a subscription");
        };
        assert!(it.snapshot && it.kinds.is_empty());
        assert_eq!(it.names().unwrap().0[0].as_str(), "A*");
        assert_eq!(Request::parse(br#"{"op":"pong"}"#), Ok(Request::Pong));
    }

    #[test]
    fn what_cannot_be_meant_says_what_was_expected() {
        for (text, said) in [
            ("", "EOF"),
            ("[1]", "not a request"),
            (r#"{"op":"fly"}"#, "unknown variant `fly`"),
            (r#"{"op":"hello","speed":1}"#, "unknown field `speed`"),
            (
                r#"{"op":"hello","policy":"wait"}"#,
                "unknown variant `wait`",
            ),
            (
                r#"{"op":"subscribe","id":-1,"symbols":["*"]}"#,
                "invalid value",
            ),
            (
                r#"{"op":"subscribe","id":1,"symbols":[]}"#,
                "1 to 64 symbols",
            ),
            (
                r#"{"op":"subscribe","id":1,"symbols":["A B"]}"#,
                "symbol pattern",
            ),
            (
                r#"{"op":"subscribe","id":1,"symbols":["*"],"kinds":["bids"]}"#,
                "\"bids\"",
            ),
            (r#"{"op":"pong"} {"op":"pong"}"#, "trailing characters"),
        ] {
            let reason = refused(text);
            assert!(reason.contains(said), "{text}: {reason}");
        }
        let many = vec!["\"*\""; NAMED_MAX + 1].join(",");
        let many = format!(r#"{{"op":"subscribe","id":1,"symbols":[{many}]}}"#);
        assert!(refused(&many).contains("1 to 64 symbols"));
    }
}
