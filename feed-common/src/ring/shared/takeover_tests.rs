//! Names that are taken: by whom, and who may have them next.

use super::layout::Header;
use super::tests::{Folder, drain, open, orphan, record, refused, sealed, why};
use super::*;
use crate::sys::shared::beside;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use zerocopy::FromBytes;

#[test]
fn a_name_has_one_writer_and_the_next_is_another_file() {
    let folder = Folder::new("over");
    let plan = folder.plan();
    let mut first = publish(&plan).unwrap();
    let said = refused(&plan);
    assert!(
        said.contains("running writer") && said.contains(&std::process::id().to_string()),
        "{said}"
    );
    let old = open(&plan.path);
    let mut reader = old.subscriber().from_oldest();
    first.ring.push(&record(0));
    let epoch = first.hold.epoch();
    drop(first);

    let mut second = publish(&plan).unwrap();
    assert_eq!(second.hold.takeover(), &Takeover::Closed);
    assert!(second.hold.epoch() > epoch);
    assert_eq!(old.standing(), Standing::Superseded);
    // What the first had left is there still.
    assert_eq!((drain(&mut reader), reader.is_closed()), (1, true));
    second.ring.push(&record(0));
    second.ring.flush();
    let new = old.reopen().unwrap();
    assert_eq!(
        (new.standing(), new.facts().epoch),
        (Standing::Live, second.hold.epoch())
    );
    assert_eq!(drain(&mut new.subscriber().from_oldest()), 1);
    assert!(!beside(&plan.path, ".new").exists());
}

#[test]
fn what_a_dead_writer_left_is_taken_over() {
    let folder = Folder::new("dead");
    let plan = folder.plan();
    fs::write(&plan.path, orphan(&plan)).unwrap();
    // Of one that died before it could give its file the name.
    fs::write(beside(&plan.path, ".new"), "half of it").unwrap();
    let old = open(&plan.path);
    assert_eq!(old.standing(), Standing::Dead);
    let published = publish(&plan).unwrap();
    assert_eq!(
        published.hold.takeover(),
        &Takeover::Dead(std::process::id())
    );
    assert!(published.hold.epoch() > old.facts().epoch);
    assert_eq!(old.standing(), Standing::Superseded);
}

#[test]
fn a_writer_that_lives_is_not_taken_over_even_without_its_lock() {
    let folder = Folder::new("lives");
    let plan = folder.plan();
    let _published = publish(&plan).unwrap();
    fs::remove_file(beside(&plan.path, ".lock")).unwrap();
    assert!(refused(&plan).contains("running writer"));
    assert_eq!(open(&plan.path).standing(), Standing::Live);
}

#[test]
fn other_versions_are_taken_over_and_what_is_none_of_ours_is_not() {
    let folder = Folder::new("other");
    let plan = folder.plan();
    let good = orphan(&plan);
    let of = |change: fn(&mut Header)| {
        let mut header = Header::read_from_prefix(&good).unwrap().0;
        change(&mut header);
        fs::write(&plan.path, sealed(good.clone(), header)).unwrap();
    };
    of(|h| h.version = 2);
    assert!(why(&plan.path).contains("layout version 2, and this program reads version 1"));
    let published = publish(&plan).unwrap();
    assert_eq!(
        published.hold.takeover(),
        &Takeover::Unreadable(LayoutError::Version(2))
    );
    drop(published);
    of(|h| h.order = h.order.swap_bytes());
    assert!(why(&plan.path).contains("other byte order"));
    let published = publish(&plan).unwrap();
    assert_eq!(
        published.hold.takeover(),
        &Takeover::Unreadable(LayoutError::ByteOrder)
    );
    drop(published);

    for other in [&b""[..], b"FEEDSHM", &[7; 10_000]] {
        fs::write(&plan.path, other).unwrap();
        assert!(
            why(&plan.path).contains("not a shared-memory file"),
            "{}",
            why(&plan.path)
        );
        assert!(refused(&plan).contains("not a shared-memory file"));
        assert_eq!(fs::read(&plan.path).unwrap(), other, "it was left alone");
    }
    // Cut at every length that means something.
    for len in [8, 512, 768, 776, 1_024, 4_096, good.len() - 1] {
        fs::write(&plan.path, &good[..len]).unwrap();
        assert!(
            SharedReader::open(&plan.path, OwnedBy::Us).is_err(),
            "{len}"
        );
    }
}

#[test]
fn links_folders_and_open_folders_are_refused() {
    let folder = Folder::new("links");
    let plan = folder.plan();
    let target = folder.0.join("target");
    fs::write(&target, "precious").unwrap();
    for name in [beside(&plan.path, ".lock"), plan.path.clone()] {
        symlink(&target, &name).unwrap();
        assert!(
            refused(&plan).contains("symbolic link"),
            "{}",
            refused(&plan)
        );
        fs::remove_file(&name).unwrap();
    }
    // Of the name it makes first, it deletes the link and not what it leads to.
    symlink(&target, beside(&plan.path, ".new")).unwrap();
    drop(publish(&plan).unwrap());
    assert_eq!(fs::read(&target).unwrap(), b"precious");
    fs::remove_file(&plan.path).unwrap();
    symlink(&target, &plan.path).unwrap();
    assert!(why(&plan.path).contains("symbolic link"));
    fs::remove_file(&plan.path).unwrap();
    fs::create_dir(&plan.path).unwrap();
    assert!(publish(&plan).is_err() && SharedReader::open(&plan.path, OwnedBy::Us).is_err());

    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(refused(&plan).contains("no sticky bit"));
}
