//! Published data sets in the places where people have them.

use std::fs;

use coulomb_gan::data::{Crop, Options, open};

use crate::place::{Place, grey, levels};

#[test]
fn missing_paths_files_and_archives_are_explained() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        side: 8,
        crop: Crop::Center,
        cache: Some(dir.path()),
    };
    let attempt = |name: &str, options: &Options| {
        let path = dir.path().join(name);
        open(&path, options, &mut |_, _| {}).unwrap_err()
    };
    let error = attempt("absent", &options).to_string();
    assert!(
        error.contains("absent") && error.contains("check the path"),
        "{error}"
    );
    fs::write(dir.path().join("x.png"), grey(1)).unwrap();
    let error = attempt("x.png", &options).to_string();
    assert!(
        error.contains("a single picture; give the folder"),
        "{error}"
    );
    fs::write(dir.path().join("x.7z"), b"7z\xbc\xaf\x27\x1c").unwrap();
    let error = attempt("x.7z", &options).to_string();
    assert!(error.contains("7z archive; unpack it"), "{error}");
    assert!(
        error.contains("--data takes a folder of pictures"),
        "{error}"
    );
    for side in [0, 1025] {
        let error = attempt("absent", &Options { side, ..options });
        assert_eq!(error.exit_code(), 2, "{error}");
    }
    #[cfg(not(feature = "lmdb"))]
    {
        fs::create_dir(dir.path().join("bedrooms")).unwrap();
        fs::write(dir.path().join("bedrooms/data.mdb"), b"").unwrap();
        let error = attempt("bedrooms", &options).to_string();
        assert!(error.contains("--features lmdb"), "{error}");
    }
}

#[test]
fn cifar_is_found_in_its_folder_above_it_and_as_one_file() {
    let place = Place::new();
    let record = |level: u8| [vec![3], vec![level; 3072]].concat();
    let batch = |levels: &[u8]| levels.iter().flat_map(|&l| record(l)).collect::<Vec<u8>>();
    place.put("cifar-10-batches-bin/data_batch_2.bin", &batch(&[3]));
    place.put("cifar-10-batches-bin/data_batch_1.bin", &batch(&[1, 2]));
    place.put("cifar-10-batches-bin/test_batch.bin", &batch(&[9]));
    let cache = place.cache();
    let options = Options {
        side: 32,
        crop: Crop::CelebA,
        cache: Some(&cache),
    };
    let folder = place.data().join("cifar-10-batches-bin");
    for path in [place.data(), folder.clone()] {
        let opened = open(&path, &options, &mut |_, _| {}).unwrap();
        assert_eq!(levels(&opened.pictures), [1, 2, 3]);
    }
    let one = open(&folder.join("data_batch_1.bin"), &options, &mut |_, _| {}).unwrap();
    assert_eq!(levels(&one.pictures), [1, 2]);
    assert_eq!(place.open(16).unwrap().pictures.bytes(2).unwrap(), [3; 768]);

    place.put("cifar-10-batches-bin/data_batch_2.bin", &batch(&[3])[1..]);
    let error = place.open(32).unwrap_err().to_string();
    assert!(
        error.contains("data_batch_2.bin: its 3072 bytes"),
        "{error}"
    );
}

/// A batch of the Python version as Python 2 wrote the published ones: labels first, then the pixels.
fn pickle(levels: &[u8]) -> Vec<u8> {
    let pixels: Vec<u8> = levels.iter().flat_map(|&level| [level; 3072]).collect();
    let name = b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x15training batch 1 of 5q\x03U\x06labelsq\x04]q\x05(K\x06K\x09e";
    let array = b"U\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\x09(K\x01M\x10'M\x00\x0c\x86cnumpy\ndtype\nq\x0aU\x02u1K\x00K\x01\x87Rq\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T";
    let length = (pixels.len() as u32).to_le_bytes();
    [&name[..], array, &length, &pixels, b"tbu."].concat()
}

/// The same, saved again by Python 3: in a frame, with a string of bytes.
fn pickle_4(levels: &[u8]) -> Vec<u8> {
    let pixels: Vec<u8> = levels.iter().flat_map(|&level| [level; 3072]).collect();
    let length = (pixels.len() as u32).to_le_bytes();
    let start = b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x04data\x94B";
    [&start[..], &length, &pixels, b"\x94u."].concat()
}

#[test]
fn cifars_python_version_is_found_in_its_folder_above_it_and_as_one_file() {
    let place = Place::new();
    place.put("cifar-10-python.tar.gz", b"\x1f\x8b");
    place.put("cifar-10-batches-py/batches.meta", b"\x80\x02}.");
    for i in 1..=5 {
        let batch = if i == 4 {
            pickle_4(&[i, 10 * i])
        } else {
            pickle(&[i])
        };
        place.put(&format!("cifar-10-batches-py/data_batch_{i}"), &batch);
    }
    place.put("cifar-10-batches-py/test_batch", &pickle(&[99]));
    for name in ["", "cifar-10-batches-py"] {
        let opened = place.open_in(name).unwrap();
        assert_eq!(levels(&opened.pictures), [1, 2, 3, 4, 40, 5]);
        assert_eq!(opened.notes, [""; 0]);
    }
    let one = place.open_in("cifar-10-batches-py/data_batch_4").unwrap();
    assert_eq!(levels(&one.pictures), [4, 40]);

    let good = pickle(&[7]);
    let cases: [(&[u8], &str); 4] = [
        (&good[..good.len() / 2], "is cut off"),
        (&[0x80, 2, b'}', b'.'], "no pictures of CIFAR-10"),
        (&[0x80, 2, 0xfe, b'.'], "no instruction of a pickle"),
        (b"", "no pickle"),
    ];
    for (bytes, why) in cases {
        place.put("cifar-10-batches-py/data_batch_3", bytes);
        let error = place.error().to_string();
        assert!(
            error.contains("data_batch_3") && error.contains(why),
            "{error}"
        );
    }
}

#[test]
fn missing_batches_of_cifar_are_named() {
    let place = Place::new();
    for i in [1, 2, 4] {
        place.put(&format!("data_batch_{i}.bin"), &[i; 3073]);
    }
    let opened = place.open(32).unwrap();
    let [note] = &opened.notes[..] else {
        panic!("{:?}", opened.notes);
    };
    let want = "data_batch_3.bin and data_batch_5.bin are missing in ";
    assert!(
        note.starts_with(want) && note.ends_with(": 3 of 50000 pictures"),
        "{note}"
    );
}

#[test]
fn several_databases_are_named_and_one_is_used() {
    let place = Place::new();
    place.put("bedroom_train_lmdb/data.mdb", b"");
    place.put("bedroom_train_lmdb.zip", b"PK");
    let error = place.error().to_string();
    assert!(error.contains("bedroom_train_lmdb"), "{error}");
    #[cfg(not(feature = "lmdb"))]
    assert!(error.contains("--features lmdb"), "{error}");
    place.put("tower_val_lmdb/data.mdb", b"");
    let error = place.error().to_string();
    assert!(error.contains("2 LMDB databases"), "{error}");
    assert!(
        error.contains("bedroom_train_lmdb and tower_val_lmdb"),
        "{error}"
    );
    let example = place.data().join("bedroom_train_lmdb");
    assert!(
        error.ends_with(&format!("--data {}", example.display())),
        "{error}"
    );
}

#[test]
fn the_test_pictures_of_cifar_alone_are_no_training_set() {
    let record = [vec![3], vec![7; 3072]].concat();
    for (name, folder) in [
        ("test_batch.bin", "cifar-10-batches-bin"),
        ("test_batch", "cifar-10-batches-py"),
    ] {
        let place = Place::new();
        let file = place.put(&format!("x/{folder}/{name}"), &record);
        for above in ["", "x", &format!("x/{folder}")] {
            let error = place.open_in(above).unwrap_err().to_string();
            assert!(
                error.starts_with("there are only CIFAR-10's test pictures in ")
                    && error.contains("data_batch_1")
                    && error.ends_with(&format!("--data {}", file.display())),
                "{error}"
            );
        }
    }
    let place = Place::new();
    place.put("test_batch.bin", &record);
    let opened = place.open_in("test_batch.bin").unwrap();
    assert_eq!(levels(&opened.pictures), [7], "the advice is true");
}

#[test]
fn a_set_is_found_however_deep_it_lies() {
    let place = Place::new();
    let record = [vec![3], vec![7; 3072]].concat();
    place.put("a/b/c/cifar-10-batches-bin/data_batch_1.bin", &record);
    place.put("a/b/readme.html", b"<html>");
    assert_eq!(levels(&place.open(8).unwrap().pictures), [7]);
    place.put("a/lsun/bedroom_train_lmdb/data.mdb", b"");
    let error = place.error().to_string();
    assert!(
        error.contains("2 data sets")
            && error.contains("a/b/c/cifar-10-batches-bin and a/lsun/bedroom_train_lmdb"),
        "{error}"
    );
    fs::remove_dir_all(place.data().join("a/b")).unwrap();
    let error = place.error().to_string();
    assert!(error.contains("bedroom_train_lmdb"), "{error}");
    #[cfg(not(feature = "lmdb"))]
    assert!(error.contains("--features lmdb"), "{error}");
}
