//! What this program has made is not taken for data by accident.

use std::fs;

use coulomb_gan::figures;
use image::{Rgb, RgbImage};

use crate::archives::packed;
use crate::place::{Place, grey, levels};

/// A picture that this program has drawn.
fn own(level: u8) -> Vec<u8> {
    figures::png(&RgbImage::from_pixel(8, 8, Rgb([level; 3]))).unwrap()
}

fn put_run(place: &Place, name: &str) {
    place.put(&format!("{name}/config.toml"), b"preset = \"images\"");
    place.put(&format!("{name}/checkpoints/latest"), b"step-000000000");
    place.put(&format!("{name}/samples/step-000000000.png"), &own(9));
}

#[test]
fn folders_of_runs_are_left_out_and_named() {
    let place = Place::new();
    place.put("a.png", &grey(1));
    put_run(&place, "runs/1");
    put_run(&place, "runs/2");
    // Either of them alone is not a run, nor are both when they are another program's.
    place.put("mine/config.toml", b"preset = 1");
    place.put("mine/b.png", &grey(2));
    place.put("yours/config.toml", b"[training]\nrate = 1");
    place.put("yours/checkpoints/c.pt", b"");
    place.put("yours/data/c.png", &grey(3));
    let opened = place.open(8).unwrap();
    assert_eq!(levels(&opened.pictures), [1, 2, 3]);
    let [note] = &opened.notes[..] else {
        panic!("{:?}", opened.notes);
    };
    assert!(
        note.starts_with("2 folders of this program's own runs left out"),
        "{note}"
    );
    assert_eq!(
        levels(&place.open_in("yours/data").unwrap().pictures),
        [3],
        "it lies in no run of ours"
    );
    let error = place.open_in("runs").unwrap_err().to_string();
    assert!(
        error.contains("2 folders of this program's own runs"),
        "{error}"
    );
}

#[test]
fn a_run_is_no_data_nor_is_anything_in_it() {
    let place = Place::new();
    put_run(&place, "run");
    place.put("run/set-aside-0001/samples/step-000000009.png", &own(9));
    place.put("run/a.zip", b"PK\x05\x06");
    let error = place.open_in("run").unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(
        error.to_string().contains("is a run of this program"),
        "{error}"
    );
    for inside in [
        "samples",
        "set-aside-0001",
        "set-aside-0001/samples",
        "a.zip",
    ] {
        let error = place.open_in(&format!("run/{inside}")).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
        let error = error.to_string();
        assert!(
            error.contains(&format!("run/{inside} lies in "))
                && error.contains("/data/run, a run of this program"),
            "{error}"
        );
    }
    #[cfg(unix)]
    {
        let link = place.data().join("link");
        std::os::unix::fs::symlink("run/samples", link).unwrap();
        let error = place.open_in("link").unwrap_err().to_string();
        assert!(error.contains("a run of this program"), "{error}");
    }
}

#[test]
fn samples_among_pictures_are_left_out_and_counted() {
    let place = Place::new();
    place.put("a.png", &grey(1));
    place.put("gen/0000.png", &own(7));
    place.put("gen/0001.png", &own(8));
    place.put("gen-sheet.png", &own(9));
    for _ in 0..2 {
        let opened = place.open(8).unwrap();
        assert_eq!(levels(&opened.pictures), [1]);
        assert!(opened.skipped.is_empty(), "{:?}", opened.skipped);
        let example = place.data().join("gen/0000.png");
        assert_eq!(
            opened.notes,
            [format!(
                "left out 3 pictures (e.g. {}) that this program has drawn itself; to train on its samples, give a \
                 folder of nothing else",
                example.display()
            )]
        );
    }
}

#[test]
fn samples_that_are_named_themselves_are_taken_with_a_word() {
    let place = Place::new();
    place.put("a.png", &grey(1));
    place.put("gen/0000.png", &own(7));
    place.put("gen/0001.png", &own(8));
    place.put("gen/0002.png", b"");
    for _ in 0..2 {
        let opened = place.open_in("gen").unwrap();
        assert_eq!(levels(&opened.pictures), [7, 8]);
        let [note, _] = &opened.notes[..] else {
            panic!("{:?}", opened.notes);
        };
        assert!(
            note.starts_with("all pictures in ") && note.contains("gen are samples or figures"),
            "{note}"
        );
    }
    place.put("gen/2.png", &grey(2));
    assert_eq!(levels(&place.open_in("gen").unwrap().pictures), [2]);
}

#[test]
fn samples_in_archives_are_left_out_too() {
    for (name, bytes) in packed(&[("a.png", grey(1)), ("gen/0000.png", own(7))]) {
        let place = Place::new();
        let path = place.put(name, &bytes);
        let opened = place.open_in(name).unwrap();
        assert_eq!(levels(&opened.pictures), [1]);
        let note = &opened.notes[0];
        let example = path.join("gen/0000.png");
        assert!(
            note.contains(&format!("left out 1 picture (e.g. {})", example.display())),
            "{note}"
        );
    }
    for (name, bytes) in packed(&[("gen/0000.png", own(7))]) {
        let place = Place::new();
        place.put(name, &bytes);
        let error = place.open_in(name).unwrap_err().to_string();
        assert!(
            error.contains("no picture but this program's own among 1 file"),
            "{error}"
        );
    }
}

#[test]
fn the_mark_is_one_that_other_programs_read() {
    let bytes = own(5);
    let decoder = image::codecs::png::PngDecoder::new(std::io::Cursor::new(&bytes)).unwrap();
    let picture = image::DynamicImage::from_decoder(decoder).unwrap();
    assert_eq!(picture.to_rgb8().get_pixel(0, 0), &Rgb([5; 3]));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    figures::write_png(&path, &picture.to_rgb8()).unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes);
}
