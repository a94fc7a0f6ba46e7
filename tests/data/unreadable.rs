//! What the system does not let us read is left out and named; the rest is used, and it is tried again later.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use coulomb_gan::data::{Crop, Options, open};

use crate::place::{Place, grey, levels};

/// A user without rights, on most systems.
const NOBODY: u32 = 65534;

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Whether this process may read what nobody is allowed to, as the superuser may.
fn reads_everything() -> bool {
    let file = tempfile::NamedTempFile::new().unwrap();
    allow(file.path(), 0);
    fs::File::open(file.path()).is_ok()
}

/// Runs the test `name` as somebody who cannot read everything: in this process, or else in another one.
fn as_nobody(name: &str, test: fn()) {
    match reads_everything() {
        true => drop(run_as_nobody(name, Path::new(""))),
        false => test(),
    }
}

/// Runs the test `name` as another user, with `place` in its environment; false if that cannot be done here.
fn run_as_nobody(name: &str, place: &Path) -> bool {
    // The program has to lie where the other user can reach it.
    let folder = tempfile::tempdir().unwrap();
    allow(folder.path(), 0o755);
    let program = folder.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    allow(&program, 0o755);
    let output = Command::new(program)
        .args(["--include-ignored", "--exact", name])
        .env("COULOMB_PLACE", place)
        .env_remove("TMPDIR")
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output();
    match output {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success() && text.contains("1 passed"),
                "{text}"
            );
            true
        }
        Err(e) => {
            eprintln!("NOT TESTED: {name} cannot be run as another user: {e}");
            false
        }
    }
}

#[test]
fn unreadable_files_and_folders_are_named_and_tried_again() {
    as_nobody(
        "unreadable::unreadable_files_and_folders_are_named_and_tried_again",
        || {
            let place = Place::new();
            place.put("a.png", &grey(1));
            let file = place.put("b.png", &grey(2));
            place.put("c/c.png", &grey(3));
            place.put("d.png", &grey(4));
            let folder = place.data().join("c");
            allow(&file, 0);
            allow(&folder, 0);
            for decoded in [3, 0] {
                let (opened, count) = place.open_counting(8);
                let opened = opened.unwrap();
                assert_eq!(levels(&opened.pictures), [1, 4]);
                assert_eq!(count, decoded, "what is unreadable is not tried in vain");
                let paths: Vec<_> = opened.skipped.iter().map(|one| one.path.clone()).collect();
                assert_eq!(paths, [folder.clone(), file.clone()]);
                assert!(
                    opened
                        .skipped
                        .iter()
                        .all(|one| one.unreadable && one.why.contains("cannot be read"))
                );
                let [note] = &opened.notes[..] else {
                    panic!("{:?}", opened.notes);
                };
                let want = format!(
                    "left out because they cannot be read: {}, {}; check the permissions",
                    folder.display(),
                    file.display()
                );
                assert_eq!(*note, want, "each is named once");
            }
            allow(&folder, 0o755);
            assert_eq!(levels(&place.open(8).unwrap().pictures), [1, 3, 4]);
            allow(&file, 0o644);
            let opened = place.open(8).unwrap();
            assert_eq!(levels(&opened.pictures), [1, 2, 3, 4]);
            assert!(
                opened.skipped.is_empty() && opened.notes.is_empty(),
                "{opened:?}"
            );
        },
    );
}

#[test]
fn nothing_but_unreadable_files_is_an_error_that_says_why() {
    as_nobody(
        "unreadable::nothing_but_unreadable_files_is_an_error_that_says_why",
        || {
            let place = Place::new();
            let file = place.put("sub/b.png", &grey(2));
            allow(&file, 0);
            let error = place.error().to_string();
            assert!(
                error.contains("none of the 1 pictures") && error.contains("denied"),
                "{error}"
            );
            let folder = place.data().join("sub");
            allow(&folder, 0);
            let error = place.error().to_string();
            assert!(error.contains("it cannot be read"), "{error}");
            assert!(error.contains("sub") && error.contains("denied"), "{error}");
            allow(&folder, 0o755);
            allow(&place.data(), 0);
            let error = place.error().to_string();
            assert!(error.contains("cannot read the folder"), "{error}");
            allow(&place.data(), 0o755);
        },
    );
}

/// The picture that only its owner can read.
const CLOSED: u8 = 99;

#[test]
fn what_could_not_be_read_is_not_remembered_as_damaged() {
    if !reads_everything() {
        // The file has to become readable without any change to it, as only another user can make it.
        eprintln!("NOT TESTED: this needs two users, so it has to be run as root");
        return;
    }
    let place = Place::new();
    allow(place.root(), 0o755);
    fs::create_dir(place.cache()).unwrap();
    allow(&place.cache(), 0o777);
    // So many that not all are looked into to know the set again; what is, tells that one has become readable.
    for i in 0..100 {
        let path = place.put(&format!("{i:02}.png"), &grey(i));
        if i == CLOSED {
            allow(&path, 0o600);
        }
    }
    if run_as_nobody("unreadable::somebody_else_opens_it_first", place.root()) {
        assert_eq!(fs::read_dir(place.cache()).unwrap().count(), 1);
        let all: Vec<u8> = (0..100).collect();
        assert_eq!(levels(&place.open(8).unwrap().pictures), all);
        assert_eq!(
            fs::read_dir(place.cache()).unwrap().count(),
            1,
            "the same cache"
        );
    }
}

#[test]
#[ignore = "run by the one before"]
fn somebody_else_opens_it_first() {
    let Some(root) = std::env::var_os("COULOMB_PLACE") else {
        return;
    };
    let root = Path::new(&root);
    let cache = root.join("cache");
    let options = Options {
        side: 8,
        crop: Crop::Center,
        cache: Some(&cache),
    };
    let opened = open(&root.join("data"), &options, &mut |_, _| {}).unwrap();
    let others: Vec<u8> = (0..100).filter(|&i| i != CLOSED).collect();
    assert_eq!(levels(&opened.pictures), others);
    assert!(opened.skipped[0].unreadable);
}
