//! The control groups this process is in: version 1, version 2, or both beside each other.

use super::cores::Cores;
use super::{Host, Unread};

/// Most groups on the way from one to the root.
const DEPTH_MAX: usize = 64;

/// Where a controller's files lie.
pub(super) struct Groups {
    /// 2 for the unified hierarchy.
    pub version: u8,
    /// Folders, from this process's own group up to the outermost that is seen.
    pub folders: Vec<String>,
}

/// The groups that a controller of version 1 (`cpu`, `memory`, `cpuset`) has this process in, else those of version 2.
pub(super) fn groups(host: &Host, controller: &str) -> Result<Groups, Unread> {
    let path = "/proc/self/cgroup";
    let text = host.text(path)?;
    // Hierarchy, controllers, path.
    let entries = text.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        rest.split_once(':')
    });
    let named = |list: &str, name: &str| list.split(',').any(|c| c == name);
    let own = entries
        .clone()
        .find(|(controllers, _)| named(controllers, controller));
    let (version, own) = match own {
        Some((_, own)) => (1, own),
        None => match entries
            .clone()
            .find(|(controllers, _)| controllers.is_empty())
        {
            Some((_, own)) => (2, own),
            None => return Err(Unread::garbage(path, &text, "a line of version 1 or 2")),
        },
    };
    let mounts = host.text("/proc/self/mountinfo")?;
    let mount = mounts
        .lines()
        .filter_map(mount)
        .find(|mount| match version {
            1 => mount.kind == "cgroup" && named(mount.options, controller),
            _ => mount.kind == "cgroup2",
        });
    let Some(mount) = mount else {
        let path = format!("mounted control group of {controller} (version {version})");
        return Err(Unread::Missing { path });
    };
    // A container sees its own group as the root, under a path that leads out of it or below it.
    let below = own
        .strip_prefix(mount.root.trim_end_matches('/'))
        .unwrap_or("");
    let mut folder = match below.split('/').any(|part| part == "..") {
        true => mount.at.to_owned(),
        false => format!(
            "{}{}",
            mount.at.trim_end_matches('/'),
            below.trim_end_matches('/')
        ),
    };
    if !host.has(&folder) {
        return Err(Unread::Missing { path: folder });
    }
    let mut folders = vec![folder.clone()];
    while folder.len() > mount.at.len() && folders.len() < DEPTH_MAX {
        folder.truncate(folder.rfind('/').unwrap_or(0));
        folders.push(folder.clone());
    }
    Ok(Groups { version, folders })
}

struct Mount<'t> {
    root: &'t str,
    at: &'t str,
    kind: &'t str,
    options: &'t str,
}

/// A line of mountinfo: `id parent device root at options [tags] - kind source super-options`.
fn mount(line: &str) -> Option<Mount<'_>> {
    let (front, back) = line.split_once(" - ")?;
    let mut front = front.split(' ').skip(3);
    let mut back = back.split(' ');
    Some(Mount {
        root: front.next()?,
        at: front.next()?,
        kind: back.next()?,
        options: back.nth(1)?,
    })
}

/// The cores this process's group may use; `None` when that cannot be read.
pub(super) fn cpuset(host: &Host) -> Option<Cores> {
    let groups = groups(host, "cpuset").ok()?;
    let file = match groups.version {
        1 => "cpuset.effective_cpus",
        _ => "cpuset.cpus.effective",
    };
    // Without the controller a group has what the next above it has.
    let mut folders = groups.folders.iter();
    let found = folders.find_map(|f| host.cores(&format!("{f}/{file}")).ok());
    found.filter(|cores| !cores.is_empty())
}

/// Microseconds a period that real-time threads of the group may run, where groups have such budgets (version 1).
pub(super) fn realtime_budget(host: &Host) -> Option<i64> {
    let groups = groups(host, "cpu").ok().filter(|g| g.version == 1)?;
    // The root has the budget of the machine, which is looked at by itself.
    let own = groups
        .folders
        .first()
        .filter(|_| groups.folders.len() > 1)?;
    host.number(&format!("{own}/cpu.rt_runtime_us")).ok()
}
