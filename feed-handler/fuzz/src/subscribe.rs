//! Requests to a run, and what it then wants.

use feed_handler::run::{LINE_BYTES_MAX, reply};
use feed_handler::subscribe::{Changes, Filter, Glob, Subscription};
use serde_json::Value;

/// Symbols that are asked about after every request.
const SYMBOLS: [&[u8]; 6] = [
    b"A       ",
    b"AAPL    ",
    b"B       ",
    b"MSFT    ",
    b"ZVZZT   ",
    b"        ",
];

/// A request a line. The last of all accepted patterns that matches a symbol decides about it.
pub fn ctl(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let subscription = Subscription::new(Filter::default(), vec![Changes::new(1)]);
    let mut said = Vec::<(Glob, bool)>::new();
    for request in text.split('\n') {
        let before = subscription.filter();
        let answer = reply(request, &subscription);
        assert!(answer.to_string().len() < LINE_BYTES_MAX);
        let now = subscription.filter();
        if answer["error"].is_string() {
            assert_eq!(now, before, "refused and done");
            continue;
        }
        is_told(&answer, &now);
        let mut words = request.split_ascii_whitespace();
        let wanted = words.next() == Some("subscribe");
        said.extend(words.map(|word| (word.parse().expect("accepted"), wanted)));
        for symbol in SYMBOLS {
            let mut last = said.iter().rev();
            let last = last.find(|(glob, _)| matches(glob.as_str().as_bytes(), symbol));
            let wanted = last.is_none_or(|&(_, wanted)| wanted);
            assert_eq!(now.wants(symbol), wanted, "{now:?}");
            assert!(wanted || !now.wants_all());
        }
    }
}

/// An answer says what the filter is.
fn is_told(answer: &Value, filter: &Filter) {
    assert_eq!(answer["otherwise"], filter.otherwise());
    let rules = answer["rules"].as_array().expect("rules");
    assert_eq!(rules.len(), filter.rules().len());
    for (told, rule) in rules.iter().zip(filter.rules()) {
        assert_eq!(told["symbols"], rule.symbols.as_str());
        assert_eq!(told["wanted"], rule.wanted);
    }
}

/// A pattern, a NUL, and a symbol.
pub fn globs(data: &[u8]) {
    let mut parts = data.splitn(2, |&b| b == 0);
    let (pattern, symbol) = (parts.next().unwrap_or(b""), parts.next().unwrap_or(b""));
    let symbol = &symbol[..symbol.len().min(64)];
    let Some(glob) = std::str::from_utf8(pattern)
        .ok()
        .and_then(|p| p.parse::<Glob>().ok())
    else {
        return;
    };
    assert_eq!(glob.to_string().as_bytes(), pattern);
    assert_eq!(glob.matches(symbol), matches(pattern, symbol));
}

/// Whether a pattern means a symbol: for each of its beginnings, the beginnings of the symbol that it means.
fn matches(pattern: &[u8], symbol: &[u8]) -> bool {
    let end = symbol.iter().rposition(|b| !b" \0".contains(b));
    let symbol = &symbol[..end.map_or(0, |last| last + 1)];
    let mut means = vec![false; symbol.len() + 1];
    means[0] = true;
    for &p in pattern {
        let before = means.clone();
        means[0] = p == b'*' && before[0];
        for (i, &s) in symbol.iter().enumerate() {
            means[i + 1] = match p {
                b'*' => before[i + 1] || means[i],
                b'?' => before[i],
                p => before[i] && p == s,
            };
        }
    }
    means[symbol.len()]
}
