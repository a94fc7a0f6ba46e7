//! Archives of pictures, read in place: the same rules as in folders, and no trust in what they say of themselves.

use std::fs;
use std::io::{Cursor, Write};

use coulomb_gan::numbers::rng::{below, stream};
use flate2::Compression;
use flate2::write::GzEncoder;
use image::ImageFormat;
use rand::Rng;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::place::{Place, encode, grey, levels, varied};

pub type Entry<'a> = (&'a str, Vec<u8>);

fn zip(entries: &[Entry]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(vec![]));
    for (name, bytes) in entries {
        writer
            .start_file(*name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut builder = tar::Builder::new(vec![]);
    for (name, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder
            .append_data(&mut header, name, bytes.as_slice())
            .unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The entries in all kinds of archives.
pub fn packed(entries: &[Entry]) -> [(&'static str, Vec<u8>); 4] {
    let tar = tar(entries);
    let zipped = gzip(&tar);
    [
        ("x.zip", zip(entries)),
        ("x.tar", tar),
        ("x.tar.gz", zipped.clone()),
        ("x.TGZ", zipped),
    ]
}

#[test]
fn pictures_come_in_the_order_of_the_archive_by_the_rules_of_folders() {
    let long = format!("{}/long.png", "deep/".repeat(60));
    let entries = [
        ("b/2.png", grey(2)),
        ("a/1.png", grey(1)),
        ("__MACOSX/b/._2.png", grey(9)),
        ("a/.hidden.png", grey(9)),
        ("a/notes.txt", b"no picture".to_vec()),
        ("a/p.heic", b"".to_vec()),
        ("a/page.jpg", b"<html>404".to_vec()),
        ("README", b"no picture".to_vec()),
        ("nameless", grey(3)),
        ("a/cut.png", grey(9)[..50].to_vec()),
        (long.as_str(), grey(4)),
    ];
    for (name, bytes) in packed(&entries) {
        let place = Place::new();
        let path = place.put(name, &bytes);
        let opened = place.open_in(name).unwrap();
        assert_eq!(levels(&opened.pictures), [2, 1, 3, 4], "{name}");
        let skipped: Vec<_> = opened.skipped.iter().map(|one| one.path.clone()).collect();
        assert_eq!(skipped, [path.join("a/page.jpg"), path.join("a/cut.png")]);
        let (heic, page) = (path.join("a/p.heic"), path.join("a/page.jpg"));
        let [note, skipped] = &opened.notes[..] else {
            panic!("{:?}", opened.notes);
        };
        let words = "this program cannot read HEIC; convert it to JPEG or PNG";
        let want = format!("1 .heic file left out, e.g. {}: {words}", heic.display());
        assert_eq!(*note, want);
        let want = "2 files skipped, as there is no usable picture in them: ";
        assert!(
            skipped.starts_with(&format!("{want}{}: it is a web page", page.display())),
            "{skipped}"
        );
        let [beside] = &opened.beside[..] else {
            panic!("{:?}", opened.beside);
        };
        let (notes, hidden) = (path.join("a/notes.txt"), path.join("__MACOSX/b/._2.png"));
        let want = format!(
            "left out as no pictures: 2 other files (e.g. {}) and 2 hidden or system entries (e.g. {})",
            notes.display(),
            hidden.display()
        );
        assert_eq!(*beside, want);
        let again = place.open_in(name).unwrap();
        assert_eq!((again.notes, again.skipped), (opened.notes, opened.skipped));
        // A folder that holds nothing else is as good.
        assert_eq!(levels(&place.open(8).unwrap().pictures), [2, 1, 3, 4]);
    }
}

#[test]
fn names_that_lead_out_of_the_archive_lead_nowhere() {
    let place = Place::new();
    place.put(
        "x.zip",
        &zip(&[
            ("../../up.jpg", b"<html>".to_vec()),
            ("/etc/a.png", grey(1)),
        ]),
    );
    let opened = place.open_in("x.zip").unwrap();
    assert_eq!(levels(&opened.pictures), [1]);
    assert_eq!(opened.skipped[0].path, place.data().join("x.zip/up.jpg"));
}

#[test]
fn many_entries_keep_their_order() {
    let names: Vec<String> = (0..1300)
        .map(|i| format!("{:04}.png", i * 7 % 1300))
        .collect();
    let entries: Vec<Entry> = names
        .iter()
        .enumerate()
        .map(|(i, n)| (n.as_str(), grey(i as u8)))
        .collect();
    let place = Place::new();
    place.put("x.tgz", &gzip(&tar(&entries)));
    let wanted: Vec<u8> = (0..1300).map(|i| i as u8).collect();
    assert_eq!(levels(&place.open_in("x.tgz").unwrap().pictures), wanted);
}

#[test]
fn archives_that_are_cut_off_give_what_is_there_and_say_so() {
    let noise = |level: u8| {
        [
            grey(level),
            (0..1500u32)
                .map(|i| ((i * i * u32::from(level)) >> 3) as u8)
                .collect(),
        ]
        .concat()
    };
    let entries: Vec<Entry> = ["1.png", "2.png", "3.png"]
        .into_iter()
        .zip([1, 2, 3].map(noise))
        .collect();
    let whole = tar(&entries);
    for cut in (1..whole.len() - 1024).step_by(97).chain([2560, 5120]) {
        let place = Place::new();
        place.put("x.tar", &whole[..cut]);
        match place.open_in("x.tar") {
            Ok(opened) => {
                let found = levels(&opened.pictures);
                assert_eq!(found, [1, 2, 3][..found.len()]);
                let note = opened.notes.first().expect("a note");
                let count = if found.len() == 1 {
                    "after 1 picture ("
                } else {
                    "pictures ("
                };
                assert!(
                    note.contains("cut off") && note.contains(count),
                    "{cut}: {note}"
                );
            }
            Err(e) => assert!(cut < 2560 && e.to_string().contains("x.tar"), "{cut}: {e}"),
        }
    }
    let zipped = gzip(&whole);
    let place = Place::new();
    place.put("x.tgz", &zipped[..zipped.len() - 300]);
    let opened = place.open_in("x.tgz").unwrap();
    assert!(opened.notes[0].contains("cut off"), "{:?}", opened.notes);
    place.put("y.tgz", &zipped[..30]);
    let error = place.open_in("y.tgz").unwrap_err().to_string();
    assert!(
        error.contains("cut off or damaged before its first picture"),
        "{error}"
    );
    let whole = zip(&entries);
    place.put("x.zip", &whole[..whole.len() - 90]);
    let error = place.open_in("x.zip").unwrap_err().to_string();
    assert!(
        error.contains("no directory of its files at its end"),
        "{error}"
    );
}

#[test]
fn damaged_and_encrypted_entries_are_skipped_and_named() {
    let place = Place::new();
    let picture = encode(&varied(30, 30), ImageFormat::Bmp);
    let mut bytes = zip(&[
        ("a.bmp", picture.clone()),
        ("b.png", grey(2)),
        ("c.png", grey(3)),
    ]);
    bytes[200] ^= 0x55;
    // The flag "encrypted" of the second entry, at its place and in the directory.
    let at: Vec<usize> = (0..bytes.len())
        .filter(|&i| bytes[i..].starts_with(b"b.png"))
        .collect();
    bytes[at[0] - 30 + 6] |= 1;
    bytes[at[1] - 46 + 8] |= 1;
    place.put("x.zip", &bytes);
    let opened = place.open_in("x.zip").unwrap();
    assert_eq!(levels(&opened.pictures), [3]);
    let whys: Vec<&str> = opened.skipped.iter().map(|one| one.why.as_str()).collect();
    assert!(
        whys[0].contains("damaged") && whys[1].contains("encrypted"),
        "{whys:?}"
    );
}

#[test]
fn bombs_fizzle() {
    // Zeros that unpack to a thousand times their size, as a file and as the name of one.
    let place = Place::new();
    let bomb = vec![0; 8 << 20];
    place.put(
        "x.zip",
        &zip(&[("bomb.png", bomb.clone()), ("a.png", grey(1))]),
    );
    let opened = place.open_in("x.zip").unwrap();
    assert_eq!(levels(&opened.pictures), [1]);
    assert!(
        opened.skipped[0].why.contains("only zeros"),
        "{:?}",
        opened.skipped
    );
    let mut header = tar::Header::new_gnu();
    header.set_size(bomb.len() as u64);
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_cksum();
    let bytes = [
        tar(&[("a.png", grey(1))])[..1024].to_vec(),
        header.as_bytes().to_vec(),
        bomb,
    ]
    .concat();
    place.put("x.tgz", &gzip(&bytes));
    let opened = place.open_in("x.tgz").unwrap();
    assert_eq!(levels(&opened.pictures), [1]);
    assert!(
        opened.notes[0].contains("after 1 picture ("),
        "{:?}",
        opened.notes
    );
}

#[test]
fn archives_of_published_sets_say_how_to_unpack_them() {
    let place = Place::new();
    let batch = vec![0; 3073];
    let cases = [
        (
            "cifar-10-batches-bin/data_batch_1.bin",
            "cifar-10-batches-bin",
        ),
        ("cifar-10-batches-py/data_batch_1", "cifar-10-batches-py"),
        ("bedroom_train_lmdb/data.mdb", "bedroom_train_lmdb"),
    ];
    for (entry, folder) in cases {
        for (name, bytes) in packed(&[(entry, batch.clone())]) {
            let path = place.put(name, &bytes);
            let error = place.open_in(name).unwrap_err().to_string();
            let want = format!("give --data {}", place.data().join(folder).display());
            assert!(error.ends_with(&want), "{error}");
            let command = if name == "x.zip" {
                "`unzip "
            } else {
                "`tar -x"
            };
            assert!(error.contains(command), "{error}");
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn archives_without_pictures_and_folders_of_several_are_refused() {
    let place = Place::new();
    for (name, bytes) in packed(&[("a.txt", b"no picture".to_vec())]) {
        place.put(name, &bytes);
        let error = place.open_in(name).unwrap_err().to_string();
        assert!(
            error.contains("among 1 file in") && error.contains(name),
            "{error}"
        );
    }
    let error = place.error().to_string();
    assert!(error.contains("4 archives and no pictures"), "{error}");
    assert!(error.contains("such as --data"), "{error}");
    for content in [&b"no archive at all"[..], &[b'1'; 5000]] {
        place.put("x.gz", &gzip(content));
        let error = place.open_in("x.gz").unwrap_err().to_string();
        assert!(error.contains("x.gz is no tar archive"), "{error}");
    }
}

/// A header of a tar archive, without the sum over it.
fn header(name: &str, kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_path(name).unwrap();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header
}

#[test]
fn links_and_holes_are_named_and_never_followed() {
    let mut links = vec![];
    for (name, kind) in [
        ("b.png", tar::EntryType::Link),
        ("c.png", tar::EntryType::Symlink),
    ] {
        let mut header = header(name, kind, 0);
        header.set_link_name("a.png").unwrap();
        header.set_cksum();
        links.extend(header.as_bytes());
    }
    // A file of 2^62 bytes, nearly all of them a hole.
    let mut sparse = header("d.png", tar::EntryType::GNUSparse, 0);
    let gnu = sparse.as_gnu_mut().unwrap();
    let huge = [&[0x80, 0, 0, 0, 0x40][..], &[0; 7]].concat();
    gnu.sparse[0].offset.copy_from_slice(&huge);
    gnu.sparse[0].numbytes.copy_from_slice(b"00000000000\0");
    gnu.realsize.copy_from_slice(&huge);
    sparse.set_cksum();
    let before = tar(&[("a.png", grey(1))]);
    let after = tar(&[("e.png", grey(2))]);
    let bytes = [&before[..1024], &links, &sparse.as_bytes()[..], &after].concat();
    for (name, bytes) in [("x.tar", bytes.clone()), ("x.tgz", gzip(&bytes))] {
        let place = Place::new();
        let path = place.put(name, &bytes);
        let opened = place.open_in(name).unwrap();
        assert_eq!(levels(&opened.pictures), [1, 2], "{:?}", opened.notes);
        let skipped: Vec<_> = opened.skipped.iter().map(|one| one.path.clone()).collect();
        assert_eq!(
            skipped,
            ["b.png", "c.png", "d.png"].map(|name| path.join(name))
        );
        assert!(opened.skipped[2].why.contains("holes"));
    }
}

#[test]
fn a_wrong_checksum_at_the_end_is_told() {
    let mut bytes = gzip(&tar(&[("a.png", grey(1))]));
    let at = bytes.len() - 5;
    bytes[at] ^= 1;
    let place = Place::new();
    place.put("x.tgz", &bytes);
    let opened = place.open_in("x.tgz").unwrap();
    assert!(
        opened.notes[0].contains("damaged after 1 picture"),
        "{:?}",
        opened.notes
    );
}

#[test]
fn entries_that_overlap_are_not_unpacked_again_and_again() {
    let picture = encode(&varied(64, 64), ImageFormat::Png);
    let small = vec![0; 3];
    let names: Vec<String> = (0..40).map(|i| format!("{i:02}.png")).collect();
    let contents = names.iter().map(|n| match n.as_str() {
        "00.png" => (n.as_str(), picture.clone()),
        n => (n, small.clone()),
    });
    let mut bytes = zip(&contents.collect::<Vec<_>>());
    // The directory leads to the first file from all names: its method, checksum and sizes, and its place.
    let entries: Vec<usize> = (0..bytes.len())
        .filter(|&i| bytes[i..].starts_with(b"PK\x01\x02"))
        .collect();
    for &entry in &entries[1..] {
        for field in [10..28, 42..46] {
            let from = entries[0] + field.start..entries[0] + field.end;
            bytes.copy_within(from, entry + field.start);
        }
    }
    let place = Place::new();
    place.put("x.zip", &bytes);
    let opened = place.open_in("x.zip").unwrap();
    assert!(opened.pictures.len() < 40);
    assert!(opened.notes[0].contains("overlap"), "{:?}", opened.notes);
}

#[test]
fn archives_beside_and_inside_are_not_passed_over_in_silence() {
    let inner = zip(&[("a.png", grey(1))]);
    // Beside pictures.
    let place = Place::new();
    place.put("sample.png", &grey(3));
    place.put("more/all.zip", &inner);
    let notes = place.open(8).unwrap().notes;
    assert!(
        notes[0].starts_with("1 archive left out, e.g. ") && notes[0].contains("all.zip"),
        "{notes:?}"
    );
    // Inside another.
    let place = Place::new();
    place.put(
        "x.zip",
        &zip(&[("train.zip", inner.clone()), ("test.zip", inner.clone())]),
    );
    let error = place.open_in("x.zip").unwrap_err().to_string();
    assert!(
        error.contains("left out 2 archives") && error.contains("train.zip"),
        "{error}"
    );
    // Alone, beside what was meant as pictures.
    let place = Place::new();
    place.put("p.heic", b"");
    place.put("sub/x.zip", &inner);
    let opened = place.open(8).unwrap();
    assert_eq!(levels(&opened.pictures), [1]);
    assert!(
        opened.notes[0].contains("1 .heic file left out"),
        "{:?}",
        opened.notes
    );
    place.put("sub/x.zip", &zip(&[("a.png", b"<html>".to_vec())]));
    let error = place.error().to_string();
    assert!(
        error.contains("none of the 1 pictures") && error.contains(".heic"),
        "{error}"
    );
}

#[test]
fn runs_of_this_program_in_a_zip_are_no_data() {
    let place = Place::new();
    place.put(
        "x.zip",
        &zip(&[
            ("p/a.png", grey(1)),
            ("p/runs/one/samples/step-000000000.png", grey(9)),
            ("p/runs/one/config.toml", b"".to_vec()),
            ("p/runs/one/checkpoints/latest", b"".to_vec()),
            ("p/config.toml", b"".to_vec()),
        ]),
    );
    let opened = place.open_in("x.zip").unwrap();
    assert_eq!(levels(&opened.pictures), [1]);
    assert!(
        opened.notes[0].starts_with("1 folder of this program's own runs"),
        "{:?}",
        opened.notes
    );
}

#[test]
fn commands_to_unpack_can_be_typed() {
    let place = Place::new();
    place.put(
        "my set/x.tar",
        &tar(&[("cifar-10-batches-py/data_batch_1", vec![0; 3073])]),
    );
    let error = place.open_in("my set/x.tar").unwrap_err().to_string();
    let folder = place.data().join("my set");
    let want = format!(
        "`tar -xf '{0}/x.tar' -C '{0}'` and give --data '{0}/cifar-10-batches-py'",
        folder.display()
    );
    assert!(cfg!(windows) || error.ends_with(&want), "{error}");
}

#[test]
fn damaged_archives_are_answered() {
    for (name, good) in packed(&[("a.png", grey(1)), ("b.png", grey(2))]) {
        let place = Place::new();
        for i in 0..150u64 {
            let rng = &mut stream(3, name, i);
            let mut bytes = good.clone();
            for _ in 0..=below(rng, 3) {
                let at = below(rng, bytes.len());
                bytes[at] = rng.next_u32() as u8;
            }
            place.put(name, &bytes);
            if let Ok(opened) = place.open_in(name) {
                assert!(opened.pictures.len() <= 2);
            }
        }
    }
}

#[test]
fn methods_of_compression_that_are_not_read_are_named() {
    for (number, name) in [
        (9, "deflate64"),
        (12, "bzip2"),
        (14, "LZMA"),
        (93, "zstd"),
        (95, "xz"),
    ] {
        let mut bytes = zip(&[("1.png", grey(1)), ("2.png", grey(2))]);
        // The second file's method, in its own header and in the directory.
        for (mark, at) in [(b"PK\x03\x04", 8), (b"PK\x01\x02", 10)] {
            let second = bytes.windows(4).rposition(|window| window == mark).unwrap();
            bytes[second + at] = number;
        }
        let place = Place::new();
        place.put("x.zip", &bytes);
        let opened = place.open_in("x.zip").unwrap();
        assert_eq!(levels(&opened.pictures), [1]);
        let [skipped] = &opened.skipped[..] else {
            panic!("{:?}", opened.skipped);
        };
        let want = format!(
            "its compression, {name}, is not supported; unpack the archive and give the folder, or zip it again with \
             deflate"
        );
        assert_eq!(skipped.why, want);
    }
}

#[test]
fn archives_of_other_kinds_are_to_be_unpacked_first() {
    let starts: [(&str, &[u8], &str); 5] = [
        ("a.tar.bz2", b"BZh91AY&SY", "it is bzip2-compressed"),
        ("a.tar.xz", b"\xfd7zXZ\0", "it is xz-compressed"),
        ("a.tar.zst", b"\x28\xb5\x2f\xfd", "it is zstd-compressed"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c", "it is a 7z archive"),
        ("a.rar", b"Rar!\x1a\x07", "it is a RAR archive"),
    ];
    for (name, bytes, what) in starts {
        let place = Place::new();
        place.put(name, bytes);
        for error in [place.open_in(name).unwrap_err(), place.error()] {
            let error = error.to_string();
            assert!(
                error.contains(&format!("{name} as a data set: {what}; unpack it first;")),
                "{error}"
            );
        }
    }
}

#[test]
fn of_archives_in_an_archive_the_outer_one_is_to_be_unpacked() {
    let inner = zip(&[("1.png", grey(1))]);
    for (name, bytes) in packed(&[("in.zip", inner.clone()), ("x.jpg", inner)]) {
        let place = Place::new();
        let path = place.put(name, &bytes);
        let error = place.open_in(name).unwrap_err().to_string();
        let example = path.join("in.zip");
        let want = format!(
            "left out 1 archive (e.g. {}) inside another archive; to use one, unpack the outer one and give it with \
             --data",
            example.display()
        );
        assert!(error.ends_with(&want), "{error}");
        assert!(
            error.contains("x.jpg: it is a zip archive inside; unpack it first"),
            "{error}"
        );
    }
}
