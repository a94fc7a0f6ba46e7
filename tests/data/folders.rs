//! Folders of pictures: what is read, what is skipped and why.

use std::fs;

use crate::place::{Place, grey, levels};

#[test]
fn a_folder_tree_is_read_in_the_order_of_its_paths() {
    let place = Place::new();
    place.put("b.PNG", &grey(3));
    place.put("a/z.png", &grey(2));
    place.put("a/b/c.png", &grey(1));
    place.put("notes.txt", b"no picture");
    place.put(".hidden.png", &grey(9));
    place.put(".git/x.png", &grey(9));
    let opened = place.open(8).unwrap();
    assert_eq!(levels(&opened.pictures), [1, 2, 3]);
    assert!(opened.skipped.is_empty());
    assert!(opened.from.starts_with("3 pictures of "), "{}", opened.from);
}

#[test]
fn many_pictures_keep_their_order_whatever_the_threads_do() {
    let place = Place::new();
    for i in 0..1100u32 {
        place.put(&format!("{i:04}.png"), &grey((i % 251) as u8));
    }
    let wanted: Vec<u8> = (0..1100u32).map(|i| (i % 251) as u8).collect();
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let opened = pool.build().unwrap().install(|| place.open(8)).unwrap();
        assert_eq!(levels(&opened.pictures), wanted);
        fs::remove_file(place.cache_file("pictures")).ok();
    }
}

#[test]
fn damaged_files_are_skipped_and_named_again_from_the_cache() {
    let place = Place::new();
    place.put("a.png", &grey(1));
    place.put("b.png", &grey(2)[..50]);
    place.put("c.jpg", b"\n <!DOCTYPE html><p>404");
    place.put("d.gif", b"");
    place.put("e.webp", b"qoif and so on");
    place.put("f.png", &grey(6));
    let (first, decoded) = place.open_counting(8);
    let (first, again) = (first.unwrap(), place.open_counting(8));
    assert_eq!((decoded, again.1), (6, 0));
    assert_eq!(levels(&first.pictures), [1, 6]);
    let again = again.0.unwrap();
    assert_eq!(again.skipped, first.skipped);
    assert_eq!(levels(&again.pictures), [1, 6]);
    let whys = ["cut off", "web page", "empty", "QOI inside"];
    let names = ["b.png", "c.jpg", "d.gif", "e.webp"];
    assert_eq!(first.skipped.len(), 4);
    for ((one, why), name) in first.skipped.iter().zip(whys).zip(names) {
        assert_eq!(one.path, place.data().join(name));
        assert!(one.why.contains(why), "{one:?}");
    }
}

#[test]
fn folders_without_a_usable_picture_say_what_is_there() {
    let place = Place::new();
    place.put("a.txt", b"");
    place.put("b/c.json", b"");
    let error = place.error().to_string();
    assert!(
        error.contains("no PNG, JPEG, WebP, GIF, BMP, TIFF or PNM among 2 files in "),
        "{error}"
    );
    place.put("x.png", b"<html>");
    place.put("y.png", b"");
    let error = place.error().to_string();
    assert!(error.contains("none of the 2 pictures in"), "{error}");
    assert!(
        error.contains("the first: x.png: it is a web page"),
        "{error}"
    );
    assert_eq!(fs::read_dir(place.cache()).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn loops_of_links_end_and_links_to_nowhere_are_named() {
    use std::os::unix::fs::symlink;
    let place = Place::new();
    place.put("a/1.png", &grey(1));
    symlink(place.data(), place.data().join("a/loop")).unwrap();
    symlink("/nowhere/2.png", place.data().join("2.png")).unwrap();
    symlink("self.png", place.data().join("self.png")).unwrap();
    let opened = place.open(8);
    let text = format!("{opened:?}");
    let opened = opened.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(levels(&opened.pictures), [1]);
    assert!(text.contains("link to nowhere"), "{text}");
}

#[test]
fn hidden_files_and_those_of_the_system_are_counted_and_no_more() {
    let place = Place::new();
    place.put("a.png", &grey(1));
    for name in [
        "._a.png",
        ".DS_Store",
        "Thumbs.db",
        "Desktop.ini",
        "__MACOSX/b.png",
        "@eaDir/c.jpg",
        "$RECYCLE.BIN/d.png",
        "System Volume Information/e.png",
        "lost+found/f.png",
        "sub/.hidden/g.png",
    ] {
        place.put(name, &grey(9));
    }
    let opened = place.open(8).unwrap();
    assert_eq!(levels(&opened.pictures), [1]);
    assert!(
        opened.notes.is_empty() && opened.skipped.is_empty(),
        "{opened:?}"
    );
    let first = place.data().join("$RECYCLE.BIN");
    let beside = format!(
        "left out as no pictures: 10 hidden or system entries (e.g. {})",
        first.display()
    );
    assert_eq!(opened.beside, [beside]);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_left_out_and_named() {
    use std::process::Command;
    let place = Place::new();
    place.put("a.png", &grey(1));
    for name in ["fifo", "fifo.png", "fifo.heic"] {
        let path = place.data().join(name);
        let made = Command::new("mkfifo").arg(path).status();
        assert!(made.is_ok_and(|status| status.success()), "mkfifo");
    }
    let opened = place.open(8).unwrap();
    assert_eq!(levels(&opened.pictures), [1]);
    let example = place.data().join("fifo");
    let note = format!(
        "left out as no files but FIFOs, sockets or devices: 3 entries (e.g. {})",
        example.display()
    );
    assert_eq!(opened.notes, [note]);
    let error = place.open_in("fifo").unwrap_err().to_string();
    assert!(error.contains("it is no file, but a FIFO"), "{error}");
}
