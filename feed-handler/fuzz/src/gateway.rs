//! What clients of a gateway say.

use super::seeds::Seeds;
use feed_handler::gateway::{
    FRAME_LENGTH, NAMED_MAX, Request, RequestError, Subscription, frame_length,
};

/// Bytes that a frame may have.
const MOST: usize = 16 << 10;

/// Frames as by TCP. A message that is understood is understood the same when it is written again, and a subscription names
/// no more than it may; a frame that is too long is refused before its bytes.
pub fn gateway(data: &[u8]) {
    let mut rest = data;
    while let Some((length, behind)) = rest.split_first_chunk::<FRAME_LENGTH>() {
        let length = u32::from_le_bytes(*length);
        let Ok(length) = frame_length(length, MOST) else {
            assert!(length as usize > MOST);
            return;
        };
        let (frame, behind) = behind.split_at(length.min(behind.len()));
        message(frame);
        rest = behind;
    }
}

fn message(bytes: &[u8]) {
    let request = match Request::parse(bytes) {
        Ok(request) => request,
        Err(error) => {
            assert!(matches!(error, RequestError::Syntax(_)));
            return;
        }
    };
    let again = serde_json::to_vec(&request).expect("it was read");
    assert_eq!(Request::parse(&again), Ok(request.clone()));
    let Request::Subscribe(asked) = request else {
        return;
    };
    let few = (1..=NAMED_MAX).contains(&asked.symbols.len()) && asked.kinds.len() <= NAMED_MAX;
    let Ok(subscription) = Subscription::of(&asked) else {
        return;
    };
    assert!(few, "more than it may name");
    assert_eq!(subscription.id, asked.id);
    assert!(asked.snapshot || !subscription.snapshot);
    // What a pattern without stars says is what it means.
    for symbol in asked.symbols.iter().filter(|s| !s.contains(['*', '?'])) {
        assert!(subscription.means(symbol), "{symbol:?}");
    }
}

/// One of each message, and some that are none.
pub fn seeds(seeds: &mut Seeds) {
    let said = [
        r#"{"op":"hello"}"#,
        r#"{"op":"hello","token":"0123456789abcdef","format":"binary","policy":"skip","queue":64}"#,
        r#"{"op":"subscribe","id":1,"symbols":["A*","MSFT"],"kinds":["bid","offer"],"snapshot":false}"#,
        r#"{"op":"subscribe","id":4294967295,"symbols":["*"]}"#,
        r#"{"op":"unsubscribe","id":1}"#,
        r#"{"op":"pong"}"#,
        r#"{"op":"fly"}"#,
        "[[[[",
    ];
    let mut all = Vec::new();
    for text in said {
        all.extend((text.len() as u32).to_le_bytes());
        all.extend_from_slice(text.as_bytes());
    }
    all.extend([0xFF; 8]);
    seeds.push(all);
}
