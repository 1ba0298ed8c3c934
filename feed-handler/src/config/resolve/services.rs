//! Who is asked for what the lines lost.

use super::{Resolver, number};
use crate::config::defaults::*;
use crate::config::file;
use crate::config::plan::{Account, ServiceKind, ServicePlan};
use crate::net::InterfaceError;
use crate::pipeline::Join;
use feed_common::config::TimeSpan;
use std::collections::HashSet;
use std::net::SocketAddrV4;
use std::time::Duration;
use toml::Spanned;

impl Resolver<'_> {
    /// How a channel joins, for which the service must be there.
    pub(super) fn join(&mut self, channel: &file::Channel) -> Join {
        let lacks = match channel.join {
            Join::Start if channel.recovery.is_none() => "start\"`: expected a [channel.recovery]",
            Join::Snapshot if channel.snapshot.is_none() => {
                "snapshot\"`: expected a [channel.snapshot]"
            }
            join => return join,
        };
        self.wrong(&channel.name, format!("`join = \"{lacks}"));
        Join::Live
    }

    /// The service that is asked for messages.
    pub(super) fn recovery(&mut self, channel: &file::Channel) -> Option<ServicePlan> {
        let service = channel.recovery.as_ref()?;
        if matches!(
            service.kind.get_ref(),
            ServiceKind::Glimpse | ServiceKind::Mdp3
        ) {
            let expected = "expected \"moldudp64\" or \"soupbintcp\"";
            self.wrong(
                &service.kind,
                format!("a snapshot has no messages: {expected}"),
            );
        }
        Some(self.service(channel, service))
    }

    /// The service that is asked for the state of the books.
    pub(super) fn snapshot(&mut self, channel: &file::Channel) -> Option<ServicePlan> {
        let service = channel.snapshot.as_ref()?;
        match service.kind.get_ref() {
            ServiceKind::Glimpse => Some(self.service(channel, service)),
            ServiceKind::Mdp3 => Some(self.loops(channel, service)),
            _ => {
                self.wrong(&service.kind, "expected \"glimpse\" or \"mdp3\"");
                Some(self.service(channel, service))
            }
        }
    }

    fn service(&mut self, channel: &file::Channel, service: &file::Service) -> ServicePlan {
        let kind = *service.kind.get_ref();
        self.of_protocol(channel, service);
        if let Some(key) = service.orders.as_ref().map(Spanned::span) {
            self.note(
                key,
                "orders are in the same snapshot: expected no `orders`".into(),
            );
        }
        if let Some(key) = service.interface.as_ref().map(Spanned::span) {
            self.note(
                key,
                "the system finds its way: expected no `interface`".into(),
            );
        }
        let logs_in = kind != ServiceKind::MoldUdp64;
        for text in [&service.user, &service.password].into_iter().flatten() {
            if !logs_in {
                self.wrong(
                    text,
                    "nobody logs in there: expected no `user` and no `password`",
                );
            }
        }
        if logs_in && let Some(messages) = &service.request_messages {
            self.wrong(
                messages,
                "a connection replays until it is told to stop: expected no `request_messages`",
            );
        }
        if logs_in && let Some(requests) = &service.requests_in_flight {
            self.wrong(
                requests,
                "a connection replays one stretch at a time: expected no `requests_in_flight`",
            );
        }
        let attempts = number(&service.attempts, RECOVERY_ATTEMPTS as usize);
        let messages = number(&service.request_messages, REQUEST_MESSAGES.into());
        let requests = number(&service.requests_in_flight, REQUESTS_IN_FLIGHT.into());
        let requests = self.within("requests_in_flight", requests, 1..=REQUESTS_IN_FLIGHT_MAX);
        ServicePlan {
            kind,
            servers: self.servers(&service.servers),
            orders: Vec::new(),
            interface: None,
            account: Account {
                user: self.text("user", &service.user, 6),
                password: self.text("password", &service.password, 10),
            },
            attempts: self.within("attempts", attempts, 1..=RECOVERY_ATTEMPTS_MAX) as u32,
            answer: self.time("answer", &service.answer, kind.answer_nanos()),
            request_messages: self.within("request_messages", messages, 1..=0xfffe) as u16,
            requests_in_flight: requests as u16,
            limit: self.time("limit", &service.limit, kind.limit_nanos()),
        }
    }

    fn of_protocol(&mut self, channel: &file::Channel, service: &file::Service) {
        let protocol = channel.protocol.get_ref().0;
        let expected = service.kind.get_ref().protocol();
        if protocol != expected {
            self.wrong(
                &service.kind,
                format!("{protocol} has no such service: expected `protocol = \"{expected}\"`"),
            );
        }
    }

    /// Groups that are listened to, of which nobody is asked for anything.
    fn loops(&mut self, channel: &file::Channel, service: &file::Service) -> ServicePlan {
        self.of_protocol(channel, service);
        let unused = [
            ("user", service.user.as_ref().map(Spanned::span)),
            ("password", service.password.as_ref().map(Spanned::span)),
            ("attempts", service.attempts.as_ref().map(Spanned::span)),
            ("answer", service.answer.as_ref().map(Spanned::span)),
            (
                "request_messages",
                service.request_messages.as_ref().map(Spanned::span),
            ),
            (
                "requests_in_flight",
                service.requests_in_flight.as_ref().map(Spanned::span),
            ),
            ("limit", service.limit.as_ref().map(Spanned::span)),
        ];
        for (key, place) in unused {
            if let Some(place) = place {
                self.note(place, format!("nobody is asked: expected no `{key}`"));
            }
        }
        let mut taken = HashSet::new();
        let servers = self.groups(&service.servers, &mut taken);
        if !(1..=SERVERS_MAX).contains(&servers.len()) {
            self.wrong(
                &service.servers,
                format!("expected 1 to {SERVERS_MAX} groups"),
            );
        }
        let orders = service.orders.as_ref();
        let orders = orders.map_or(Vec::new(), |list| self.groups(list, &mut taken));
        if let Some(list) = &service.orders
            && orders.len() > SERVERS_MAX
        {
            self.wrong(list, format!("expected at most {SERVERS_MAX} groups"));
        }
        let all = || servers.iter().chain(&orders);
        if service.interface.is_none() && all().any(|group| group.ip().is_multicast()) {
            let expected =
                "expected `interface` (a name or an IPv4 address) beside multicast groups";
            self.wrong(&service.servers, expected);
        }
        let interface = service.interface.as_ref().and_then(|text| {
            let parsed = text.get_ref().parse();
            parsed.map_err(|e: InterfaceError| self.wrong(text, e)).ok()
        });
        ServicePlan {
            orders,
            interface,
            ..ServicePlan::new(ServiceKind::Mdp3, servers)
        }
    }

    fn groups(
        &mut self,
        list: &Spanned<Vec<Spanned<String>>>,
        taken: &mut HashSet<SocketAddrV4>,
    ) -> Vec<SocketAddrV4> {
        let mut groups = Vec::new();
        for text in list.get_ref() {
            let group = self.group(text);
            match taken.insert(group) {
                true => groups.push(group),
                false => self.wrong(text, format!("{group} is named twice")),
            }
        }
        groups
    }

    fn servers(&mut self, list: &Spanned<Vec<Spanned<String>>>) -> Vec<SocketAddrV4> {
        if !(1..=SERVERS_MAX).contains(&list.get_ref().len()) {
            self.wrong(list, format!("expected 1 to {SERVERS_MAX} servers"));
        }
        let mut taken = HashSet::new();
        let mut servers = Vec::new();
        for text in list.get_ref() {
            let address = text.get_ref().parse::<SocketAddrV4>().ok();
            let single = address.filter(|a| {
                let ip = a.ip();
                a.port() != 0 && !ip.is_multicast() && !ip.is_broadcast() && !ip.is_unspecified()
            });
            match single {
                Some(server) if taken.insert(server) => servers.push(server),
                Some(server) => self.wrong(text, format!("{server} is named twice")),
                None => {
                    let expected = "expected the IPv4 address and port of a server";
                    self.wrong(text, format!("{expected}, such as \"10.1.2.3:26500\""));
                }
            }
        }
        servers
    }

    /// What a login has room for.
    fn text(&mut self, key: &str, text: &Option<Spanned<String>>, most: usize) -> String {
        let Some(text) = text else {
            return String::new();
        };
        let value = text.get_ref();
        if value.len() > most || !value.bytes().all(|b| b.is_ascii_graphic()) {
            self.wrong(
                text,
                format!("`{key}`: expected at most {most} letters and digits"),
            );
        }
        value.clone()
    }

    fn time(&mut self, key: &str, time: &Option<Spanned<TimeSpan>>, default: u64) -> Duration {
        let Some(time) = time else {
            return Duration::from_nanos(default);
        };
        if !(1..=RECOVERY_LIMIT_NANOS_MAX).contains(&time.get_ref().0) {
            self.wrong(time, format!("`{key}`: expected 1ns to 10min"));
        }
        time.get_ref().duration()
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Plan, ServiceKind, ServicePlan, parse};
    use crate::pipeline::Join;
    use std::path::Path;

    const CHANNEL: &str = r#"
[[lane]]
name = "l"
[[channel]]
name = "c"
protocol = "itch50"
lane = "l"
lines = [{ name = "A", group = "127.0.0.1:5000" }]
"#;

    fn read(more: &str) -> Result<Plan, String> {
        parse(&format!("{CHANNEL}{more}"), Path::new("f")).map_err(|e| e.to_string())
    }

    #[test]
    fn services_have_their_defaults_and_survive_being_written() {
        let recovery = "[channel.recovery]\nkind = \"moldudp64\"\nservers = [\"10.0.0.1:7\"]\n";
        let snapshot =
            "[channel.snapshot]\nkind = \"glimpse\"\nservers = [\"10.0.0.1:8\"]\nuser = \"me\"\n";
        let plan = read(&format!("{recovery}{snapshot}")).unwrap();
        let channel = &plan.lanes[0].channels[0];
        let server = "10.0.0.1:7".parse().unwrap();
        let mold = ServicePlan::new(ServiceKind::MoldUdp64, vec![server]);
        assert_eq!(channel.recovery.as_ref(), Some(&mold));
        assert_eq!(channel.snapshot.as_ref().unwrap().account.user, "me");
        assert_eq!(channel.join, Join::Live);
        let written = plan.to_toml().unwrap();
        assert_eq!(parse(&written, Path::new("f")).unwrap(), plan);
    }

    #[test]
    fn mistakes_name_place_and_expectation() {
        let cases = [
            ("kind = \"glimpse\"", "10:8: a snapshot has no messages"),
            ("kind = \"udp\"", "10:8: unknown value `udp`"),
            ("servers = []", "11:11: expected 1 to 16 servers"),
            (
                "servers = [\"10.0.0.1\"]",
                "11:12: expected the IPv4 address and port",
            ),
            (
                "servers = [\"239.0.0.1:7\"]",
                "11:12: expected the IPv4 address and port",
            ),
            (
                "servers = [\"10.0.0.1:7\", \"10.0.0.1:7\"]",
                "11:26: 10.0.0.1:7 is named twice",
            ),
            ("attempts = 0", "12:12: `attempts` is 0: expected 1 to 1000"),
            ("answer = \"0ns\"", "12:10: `answer`: expected 1ns to 10min"),
            ("limit = \"1h\"", "12:9: `limit`: expected 1ns to 10min"),
            (
                "request_messages = 65535",
                "12:20: `request_messages` is 65535",
            ),
            (
                "requests_in_flight = 0",
                "12:22: `requests_in_flight` is 0: expected 1 to 256",
            ),
            ("user = \"me\"", "12:8: nobody logs in there"),
        ];
        for (change, says) in cases {
            let key = change.split(' ').next().unwrap();
            let mut lines = vec!["kind = \"moldudp64\"", "servers = [\"10.0.0.1:7\"]"];
            match lines.iter().position(|line| line.starts_with(key)) {
                Some(at) => lines[at] = change,
                None => lines.push(change),
            }
            let wrong = read(&format!("[channel.recovery]\n{}\n", lines.join("\n")));
            let message = wrong.expect_err(change);
            assert!(
                message.starts_with(&format!("f:{says}")),
                "{change}: {message}"
            );
        }
    }

    const LOOPS: &str = r#"
[channel.snapshot]
kind = "mdp3"
servers = ["239.0.0.1:7", "239.0.0.2:7"]
orders = ["239.0.0.3:7"]
interface = "eth0"
"#;

    #[test]
    fn loops_are_groups_and_survive_being_written() {
        let channel = CHANNEL.replace("itch50", "mdp3");
        let plan = parse(&format!("{channel}{LOOPS}"), Path::new("f")).unwrap();
        let loops = plan.lanes[0].channels[0].snapshot.as_ref().unwrap();
        assert_eq!((loops.kind, loops.servers.len()), (ServiceKind::Mdp3, 2));
        assert_eq!(loops.orders, ["239.0.0.3:7".parse().unwrap()]);
        let written = plan.to_toml().unwrap();
        assert_eq!(parse(&written, Path::new("f")).unwrap(), plan);
        for (from, to, says) in [
            ("interface = \"eth0\"", "", "12:11: expected `interface`"),
            (
                "interface = \"eth0\"",
                "interface = \"a b\"",
                "14:13: expected the name",
            ),
            (
                "239.0.0.3:7",
                "239.0.0.1:7",
                "13:11: 239.0.0.1:7 is named twice",
            ),
            (
                "239.0.0.3:7",
                "10.0.0.1:7",
                "13:11: 10.0.0.1 is not a multicast group",
            ),
            (
                "\"239.0.0.1:7\", \"239.0.0.2:7\"",
                "",
                "12:11: expected 1 to 16 groups",
            ),
            (
                "interface",
                "user = \"me\"\ninterface",
                "14:8: nobody is asked",
            ),
            (
                "interface",
                "limit = \"1s\"\ninterface",
                "14:9: nobody is asked",
            ),
        ] {
            let text = format!("{channel}{}", LOOPS.replace(from, to));
            let message = parse(&text, Path::new("f")).unwrap_err().to_string();
            assert!(message.starts_with(&format!("f:{says}")), "{message}");
        }
        for (kind, says) in [
            ("mdp3", "mdp3 has no such service"),
            ("glimpse", "expected no `orders`"),
        ] {
            let text = match kind {
                "mdp3" => format!("{channel}{}", LOOPS.replace("\"mdp3\"", "\"glimpse\"")),
                _ => format!("{CHANNEL}{}", LOOPS.replace("\"mdp3\"", "\"glimpse\"")),
            };
            let message = parse(&text, Path::new("f")).unwrap_err().to_string();
            assert!(message.contains(says), "{message}");
        }
        let other = parse(&format!("{CHANNEL}{LOOPS}"), Path::new("f")).unwrap_err();
        assert!(other.to_string().contains("expected `protocol = \"mdp3\"`"));
    }

    #[test]
    fn joining_needs_somebody_to_ask_and_a_protocol_that_has_it() {
        for (join, says) in [
            ("start", "channel.recovery"),
            ("snapshot", "channel.snapshot"),
        ] {
            let text = CHANNEL.replace("lane = \"l\"", &format!("lane = \"l\"\njoin = \"{join}\""));
            let message = parse(&text, Path::new("f")).unwrap_err().to_string();
            assert!(message.contains(says), "{message}");
        }
        let service = "[channel.recovery]\nkind = \"moldudp64\"\nservers = [\"10.0.0.1:7\"]\n";
        let text = format!("{CHANNEL}{service}").replace("itch50", "iex");
        let message = parse(&text, Path::new("f")).unwrap_err().to_string();
        assert!(message.contains("iex has no such service"), "{message}");
    }
}
