use super::OutputFormat;
use super::outputs::{judge_recording, resolution, tables, write_out};
use feed_common::latency::Stage;
use feed_common::program::{Failure, open_capture, print};
use feed_handler::config::RecordPlan;
use feed_handler::demo::{CONFIG, Demo, FAULTS, Prepared, SESSION, outcome_of};
use feed_handler::net::{NamespaceError, enter_private};
use feed_handler::publish::Digest;
use feed_handler::report::json;
use feed_handler::run::{Outcome, Recorded, Until};
use feed_replay::exchange;
use feed_replay::send::SendReport;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  feed-handler demo --out runs/demo\n\nNothing leaves this machine: the demo enters a private \
                  network namespace. Where it may not, it uses the loopback interface with TTL 0 and says so."
)]
pub struct Arguments {
    /// Folder for summary.json, latency.hlog, report.html, gaps.jsonl, the session and its configuration
    #[arg(long, value_name = "DIR", default_value = "runs/demo")]
    out: PathBuf,
    /// Messages of the session, which is held in memory: at most 20,000,000
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=20_000_000))]
    messages: u64,
    /// Messages per second on average
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    rate: u64,
    /// The session and its losses follow from it
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Receive and decode on two threads instead of one
    #[arg(long)]
    two_threads: bool,
    /// Keep what both lines bring as a capture, which is then handled again like the session's file
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// How to print the figures at the end; with json everything else goes to standard error
    #[arg(long, default_value = "text")]
    format: OutputFormat,
}

impl Arguments {
    /// Tells a person how it goes.
    fn say(&self, text: &str) -> Result<(), Failure> {
        match self.format {
            OutputFormat::Text => print(text),
            OutputFormat::Json => {
                let _ = write!(io::stderr(), "{text}");
                Ok(())
            }
        }
    }
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    // First of all: a namespace can only be entered by a process of one thread.
    let (ttl, place) = match enter_private() {
        Ok(_) => (1, "in a private network namespace".to_owned()),
        Err(e @ (NamespaceError::Refused(_) | NamespaceError::Threads(_))) => {
            (0, format!("on the loopback interface with TTL 0 ({e})"))
        }
        Err(e) => return Err(Failure::running(e)),
    };
    let demo = Demo {
        messages: arguments.messages,
        rate: arguments.rate,
        seed: arguments.seed,
        ttl,
        two_threads: arguments.two_threads,
    };
    let until = Until::signalled(None)?;
    arguments.say(&format!(
        "Making a Nasdaq ITCH 5.0 session of {} messages from seed {}.\n",
        demo.messages, demo.seed
    ))?;
    let mut prepared = demo.prepare(&arguments.out)?;
    prepared.plan.record = arguments.record.clone().map(RecordPlan::new);
    arguments.say(&format!(
        "An exchange plays it as lines A and B {place}.\nEach line has {FAULTS}, independently; what both lose a \
         re-request server has.\n"
    ))?;
    let mut recorded = Recorded::begin(
        "feed-handler demo",
        resolution(&prepared.plan)?,
        Some(&arguments.out),
    )
    .map_err(Failure::running)?;
    let (outcome, played) = demo.live(&prepared, &mut recorded, &until)?;
    sender_facts(&mut recorded, &played.sent);
    match arguments.format {
        OutputFormat::Text => print(&tables(&recorded))?,
        OutputFormat::Json => print(&json::render(recorded.report()))?,
    }
    let judged = judge(arguments, &prepared, &outcome, &played, &recorded);
    let recording = recorded.report().record.clone();
    write_out(recorded)?;
    judge_recording(recording.as_ref(), false)?;
    judged
}

/// Holds what was found against what was left out, and the live digests against the file's.
fn judge(
    arguments: &Arguments,
    prepared: &Prepared,
    outcome: &Outcome,
    played: &exchange::Report,
    recorded: &Recorded,
) -> Result<(), Failure> {
    if played.stopped {
        return arguments.say("Stopped before the session's end: the digests are not compared.\n");
    }
    let mut text = String::new();
    let channel = &outcome.lanes[0].channels[0];
    let mut right = channel.sequence.lost == 0;
    // Writing to a String cannot fail.
    let account = &played.account;
    for (number, (name, line)) in ["A", "B"].into_iter().zip(&channel.lines).enumerate() {
        let lost = account.lost(number).count();
        right &= lost == line.lost;
        let _ = writeln!(
            text,
            "line {name}: {lost} messages did not arrive, {} found missing",
            line.lost
        );
    }
    let both = account.lost_by_all();
    let _ = writeln!(
        text,
        "both: {} messages in {} holes; {} asked for and got back{}; {} missing in the end\n",
        both.count(),
        both.ranges().len(),
        channel.sequence.recovered,
        closing(recorded),
        channel.sequence.lost
    );
    let file = Arc::new(open_capture(&arguments.out.join(SESSION))?);
    let one = outcome_of(&prepared.plan, &file, false)?;
    let two = outcome_of(&prepared.plan, &file, true)?;
    let kept = match outcome.record.as_ref().filter(|kept| kept.is_whole()) {
        // What a server sent again was on no line.
        Some(_) if channel.sequence.recovered > 0 => None,
        Some(kept) => {
            let file = Arc::new(open_capture(&kept.file)?);
            Some(outcome_of(&prepared.plan, &file, false)?)
        }
        // A recording that lacks packets has other records.
        None => None,
    };
    let runs: Vec<&Outcome> = [outcome, &one, &two].into_iter().chain(&kept).collect();
    right &= compare(&mut text, "record digest,", &runs, |run| {
        Some(run.record_digest())
    });
    right &= compare(&mut text, "book digest,", &runs, Outcome::book_digest);
    if arguments.record.is_some() && channel.sequence.recovered > 0 {
        let _ = writeln!(
            text,
            "\nThe recording has what the lines brought, and not what was asked for again."
        );
    }
    let dir = arguments.out.display();
    let _ = writeln!(
        text,
        "\nThe same again from the file:\n  feed-handler run -c {dir}/{CONFIG} --input {dir}/{SESSION}\nThe report:\n  \
         {dir}/report.html"
    );
    arguments.say(&text)?;
    if right {
        return Ok(());
    }
    Err(Failure::running(
        "what was handled live is not what was sent: see the losses by cause above",
    ))
}

/// Writes the live digest and those of the file, and says whether they are equal.
fn compare(
    text: &mut String,
    what: &str,
    runs: &[&Outcome],
    digest: impl Fn(&Outcome) -> Option<Digest>,
) -> bool {
    let names = [
        "live, lossy lines and a server",
        "from the file, on one thread",
        "from the file, on two threads",
        "from the recording",
    ];
    let digests: Vec<_> = runs.iter().map(|run| digest(run)).collect();
    for (name, &digest) in names.into_iter().zip(&digests) {
        let verdict = match digest == digests[0] {
            _ if name == names[0] => "",
            true => "  equal",
            false => "  DIFFERENT",
        };
        let digest = digest.map_or("none".to_owned(), |d| d.to_string());
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{what:<14} {name:<30} {digest}{verdict}");
    }
    digests.iter().all(|d| *d == digests[0])
}

/// How long it took to get messages back.
fn closing(recorded: &Recorded) -> String {
    let figures = recorded.report().figures(Stage::GapClosed);
    figures.map_or_else(String::new, |f| {
        let millis = |nanos: u64| nanos as f64 / 1e6;
        format!(
            " ({:.2} ms after they were found missing at the median, {:.2} ms at most)",
            millis(f.p50),
            millis(f.max)
        )
    })
}

fn sender_facts(recorded: &mut Recorded, sent: &SendReport) {
    let fact = format!("{} packets at {} a second", sent.packets, sent.rate());
    recorded.fact("sent", fact);
    if let Some(s) = sent.schedule {
        let fact = format!(
            "p50 {} ns, p99 {} ns, p99.9 {} ns behind its schedule",
            s.p50, s.p99, s.p999
        );
        recorded.fact("send error", fact);
    }
    let columns = [
        (sent.service, "send service", "the call that sent a packet"),
        (sent.response, "send response", "when a packet was due"),
    ];
    for (column, name, from) in columns {
        if let Some(c) = column {
            let fact = format!(
                "p50 {} ns, p99 {} ns, p99.9 {} ns, max {} ns from {from} until it was sent",
                c.p50, c.p99, c.p999, c.max
            );
            recorded.fact(name, fact);
        }
    }
}
