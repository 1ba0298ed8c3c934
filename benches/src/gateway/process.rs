//! The program as its users start it.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The gateway's process.
pub struct Running {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    /// Where WebSockets are.
    pub http: String,
    /// Where frames are.
    pub tcp: String,
}

impl Running {
    /// The program beside this one, over a file.
    pub fn start(file: &Path) -> Running {
        let own = std::env::current_exe().expect("this program");
        let program = own.with_file_name("feed-handler");
        let mut child = Command::new(program)
            .arg("gateway")
            .arg(file)
            .args([
                "--listen",
                "127.0.0.1:0",
                "--tcp",
                "127.0.0.1:0",
                "--format",
                "json",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .expect("feed-handler beside this program: cargo build --release --bin feed-handler");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        out.read_line(&mut line).expect("where it listens");
        let told: Value = serde_json::from_str(&line).expect("where it listens");
        let at = |key: &str| {
            told["listening"][key]
                .as_str()
                .expect("an address")
                .to_owned()
        };
        Running {
            child,
            out,
            http: at("http"),
            tcp: at("tcp"),
        }
    }

    /// What the process has had of the processors.
    pub fn processor_time(&self) -> Duration {
        let stat = format!("/proc/{}/schedstat", self.child.id());
        let threads = format!("/proc/{}/task", self.child.id());
        let of = |path: &str| -> u64 {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.split(' ')
                .next()
                .and_then(|n| n.parse().ok())
                .unwrap_or(0)
        };
        let tasks = std::fs::read_dir(threads).into_iter().flatten().flatten();
        let all = tasks.map(|task| of(&format!("{}/schedstat", task.path().display())));
        Duration::from_nanos(all.sum::<u64>().max(of(&stat)))
    }

    /// Ends it; what it did.
    pub fn stop(&mut self) -> Value {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(killed.is_ok_and(|status| status.success()));
        let mut line = String::new();
        self.out.read_line(&mut line).expect("what it did");
        assert!(self.child.wait().expect("a child").success());
        serde_json::from_str(&line).expect("what it did")
    }
}
