//! The examples, run: what they print is what their readers are promised.

#[path = "../examples/sensors.rs"]
#[allow(dead_code)] // its main
mod sensors;
#[path = "../examples/time_series.rs"]
#[allow(dead_code)] // its main
mod time_series;

#[test]
fn sensors() {
    let mut out = Vec::new();
    sensors::run(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let (before, damaged) = text.split_once("the same with a damaged byte\n").unwrap();
    assert_eq!(
        before,
        "19 datagrams\n\
         1080 readings kept\n\
         sensor 100: 360 readings, 17.91 to 21.50 °C\n\
         sensor 101: 360 readings, 16.14 to 21.50 °C\n\
         sensor 102: 360 readings, 17.91 to 21.50 °C\n"
    );
    // What is skipped and what is left is all there was.
    let numbers = |line: &str, word: &str| {
        let before = line.split_once(word).unwrap().0;
        before.rsplit(' ').next().unwrap().parse::<u32>().unwrap()
    };
    let mut lines = damaged.lines();
    let lost = numbers(lines.next().unwrap(), " records: the block is damaged");
    let left: u32 = lines.map(|line| numbers(line, " readings, ")).sum();
    assert!(lost > 0);
    assert_eq!(lost + left, 1080);
}

#[test]
fn time_series() {
    let mut out = Vec::new();
    time_series::run(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 19 + 2);
    assert_eq!(lines[0], " 0 s   40000/s ##########");
    assert_eq!(lines[5], " 6 s   41500/s ########## after a gap");
    assert_eq!(lines[9], "10 s  102500/s #########################");
    assert_eq!(lines[19], "p99 at most 7.25 µs, at 10 s");
    assert_eq!(lines[20], "20 other records stepped over");
}
