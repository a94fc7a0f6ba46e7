//! Which files are pictures, whatever they are called, and what is said of those that only look like some.

use image::ImageFormat;

use crate::place::{Place, encode, grey, levels, plain};

fn flat(level: u8, format: ImageFormat) -> Vec<u8> {
    encode(&plain(8, 8, [level; 3]), format)
}

#[test]
fn every_extension_of_a_picture_is_known_in_small_and_capital_letters() {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Pnm, Tiff, WebP};
    let place = Place::new();
    let names = [
        ("a.png", Png),
        ("b.JPG", Jpeg),
        ("c.jpeg", Jpeg),
        ("d.jpe", Jpeg),
        ("download (1).jfif", Jpeg),
        ("f.WebP", WebP),
        ("g.gif", Gif),
        ("h.bmp", Bmp),
        ("i.dib", Bmp),
        ("j.tif", Tiff),
        ("k.TIFF", Tiff),
        ("l.pnm", Pnm),
        ("m.ppm", Pnm),
    ];
    for (name, format) in names {
        place.put(name, &flat(128, format));
    }
    place.put("n.pgm", b"P5 1 1 255\n\x80");
    place.put("o.pbm", b"P1 1 1 1\n");
    let opened = place.open(8).unwrap();
    assert!(opened.skipped.is_empty(), "{opened:?}");
    assert_eq!(opened.pictures.len(), names.len() + 2);
}

#[test]
fn the_bytes_decide_and_not_the_name() {
    let place = Place::new();
    for (i, format) in [
        ImageFormat::WebP,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::Png,
    ]
    .into_iter()
    .enumerate()
    {
        place.put(&format!("{i}.jpg"), &flat(10 * i as u8, format));
    }
    for (name, level) in [("4", 40), ("5.jpg?w=200", 50), ("6.jpg.1", 60)] {
        place.put(name, &grey(level));
    }
    for name in ["LICENSE", "Makefile", "v1.2", "P1", "BM"] {
        place.put(name, format!("{name}\nis no picture").as_bytes());
    }
    let opened = place.open(8).unwrap();
    assert_eq!(levels(&opened.pictures), [0, 10, 20, 30, 40, 50, 60]);
    assert!(opened.skipped.is_empty(), "{opened:?}");
    assert_eq!(opened.notes, [""; 0]);
    let example = place.data().join("BM");
    let beside = format!(
        "left out as no pictures: 5 other files (e.g. {})",
        example.display()
    );
    assert_eq!(opened.beside, [beside]);
}

#[test]
fn what_was_meant_as_pictures_is_counted_and_the_rest_beside_it() {
    let place = Place::new();
    place.put("a.png", &grey(1));
    for i in 0..5 {
        place.put(&format!("IMG_{i}.HEIC"), b"");
        place.put(&format!("IMG_{i}.MOV"), b"");
        place.put(&format!("{i}.json"), b"{}");
    }
    place.put("drawing.svg", b"<svg/>");
    let opened = place.open(8).unwrap();
    let example = place.data().join("IMG_0.HEIC");
    let note = format!(
        "5 .heic and 1 .svg files left out, e.g. {}: this program cannot read HEIC or SVG; convert them to JPEG or PNG",
        example.display()
    );
    assert_eq!(opened.notes, [note]);
    let example = place.data().join("0.json");
    let beside = format!(
        "left out as no pictures: 10 other files (e.g. {})",
        example.display()
    );
    assert_eq!(opened.beside, [beside]);
    std::fs::remove_file(place.data().join("a.png")).unwrap();
    let error = place.error().to_string();
    assert!(error.contains("among 16 files"), "{error}");
    assert!(error.contains("cannot read HEIC or SVG"), "{error}");
}

#[test]
fn every_kind_of_picture_that_cannot_be_read_is_named() {
    let place = Place::new();
    place.put("a.png", &grey(1));
    let kinds = [
        "avif", "cr2", "dcm", "dds", "eps", "heic", "ico", "jp2", "jxl", "nef", "pcx", "pdf",
        "psd", "raw", "sgi", "svg", "tga",
    ];
    for kind in kinds {
        place.put(&format!("x.{}", kind.to_uppercase()), b"");
    }
    let notes = place.open(8).unwrap().notes;
    let [note] = &notes[..] else {
        panic!("{notes:?}");
    };
    for kind in kinds {
        assert!(note.contains(&format!("1 .{kind}")), "{kind}: {note}");
    }
}

#[test]
fn every_disguise_gets_its_own_sentence() {
    let place = Place::new();
    place.put("good.png", &grey(1));
    let boxed = |brands: &str| format!("\0\0\0\x18ftyp{brands}").into_bytes();
    let cases: [(Vec<u8>, &str); 24] = [
        (
            b"version https://git-lfs.github.com/spec/v1\noid".into(),
            "git lfs pull",
        ),
        (b"{\"error\":\"rate limit exceeded\"}".into(), "JSON"),
        (b"[1, 2]".into(), "JSON"),
        (b"Not found".into(), "it is text"),
        (b"\n<!DOCTYPE html><html>403".into(), "web page"),
        (b"\xef\xbb\xbf<html>".into(), "web page"),
        (b"<?xml version=\"1.0\"?>\n<svg xmlns=\"\">".into(), "SVG"),
        (boxed("heic\0\0\0\0mif1heic"), "HEIC"),
        (boxed("mif1\0\0\0\0mif1heix"), "HEIC"),
        (boxed("avif\0\0\0\0mif1miaf"), "AVIF"),
        (boxed("mif1\0\0\0\0avifmiaf"), "AVIF"),
        (boxed("mp42\0\0\0\0isommp42"), "film"),
        (boxed("qt  \0\0\0\0qt  \0\0\0\0"), "film"),
        (b"\0\0\0\x0cJXL \r\n\x87\n\0\0".into(), "JPEG XL"),
        (b"\xff\x0a\x01\x02".into(), "JPEG XL"),
        (b"8BPS\0\x01".into(), "Photoshop"),
        (b"%PDF-1.4".into(), "PDF"),
        (b"PK\x03\x04\0\0".into(), "zip archive"),
        (b"\x1f\x8b\x08\0".into(), "gzip"),
        (b"RIFF\0\0\0\0AVI LIST".into(), "film"),
        (vec![0; 4096], "only zeros"),
        (vec![], "empty"),
        (b"BM and more text".into(), "it is text"),
        (b"\x01\x02\x03\x04".into(), "it is no picture"),
    ];
    for (i, (bytes, _)) in cases.iter().enumerate() {
        place.put(&format!("x{i:02}.jpg"), bytes);
    }
    let opened = place.open(8).unwrap();
    assert_eq!(levels(&opened.pictures), [1]);
    assert_eq!(opened.skipped.len(), cases.len());
    // Five are named, and a file names all.
    let list = place.cache_file("txt");
    let [note] = &opened.notes[..] else {
        panic!("{:?}", opened.notes);
    };
    assert!(
        note.starts_with("24 files skipped, as there is no usable picture in them: ")
            && note.contains("x04.jpg")
            && !note.contains("x05.jpg")
            && note.ends_with(&format!("; and 19 more, which {} names", list.display())),
        "{note}"
    );
    let text = std::fs::read_to_string(&list).unwrap();
    let lines: Vec<String> = opened
        .skipped
        .iter()
        .map(|one| format!("{}: {}", one.path.display(), one.why))
        .collect();
    assert!(text.lines().eq(lines), "{text}");
    // Where there can be no such file, the sentence names them all.
    std::fs::remove_file(&list).unwrap();
    std::fs::create_dir(&list).unwrap();
    let notes = place.open(8).unwrap().notes;
    assert!(
        notes[0].contains("x05.jpg") && notes[0].contains("x23.jpg"),
        "{notes:?}"
    );
    for (one, (_, want)) in opened.skipped.iter().zip(cases) {
        assert!(one.why.contains(want), "{one:?} should tell of {want}");
    }
}

/// A picture of 2 x 2 pixels that are numbers of colours in a table, as scanners write them.
fn palette_tiff() -> Vec<u8> {
    let entries: [(u16, u16, u32, u32); 10] = [
        (256, 3, 1, 2),
        (257, 3, 1, 2),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 3),
        (273, 4, 1, 134),
        (277, 3, 1, 1),
        (278, 3, 1, 2),
        (279, 4, 1, 4),
        (320, 3, 768, 138),
    ];
    let mut bytes = b"II*\0\x08\0\0\0\x0a\0".to_vec();
    for (tag, kind, count, value) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 4]); // no further picture
    bytes.extend([0, 1, 2, 3]);
    bytes.extend([7; 1536]);
    bytes
}

#[test]
fn a_kind_that_cannot_be_read_is_not_called_damaged() {
    let place = Place::new();
    place.put("a.png", &grey(1));
    place.put("b.tif", &palette_tiff());
    let skipped = place.open(8).unwrap().skipped;
    assert!(
        skipped[0].why.starts_with("this program cannot read"),
        "{skipped:?}"
    );
}
