//! What the cache trusts, and what becomes of old ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use coulomb_gan::data::{Crop, Dataset, Loader, Options, open};
use coulomb_gan::numbers::words;

use crate::place::{Place, grey, levels};

#[test]
fn the_cache_notices_every_change_and_keeps_sizes_apart() {
    let place = Place::new();
    place.put("a.png", &grey(1));
    assert_eq!(place.open_counting(8).1, 1);
    assert_eq!(place.open_counting(8).1, 0);
    assert_eq!(place.open_counting(9).1, 1);
    place.put("b.png", &grey(2));
    assert_eq!(place.open_counting(8).1, 2);
    fs::rename(place.data().join("b.png"), place.data().join("c.png")).unwrap();
    assert_eq!(place.open_counting(8).1, 2);
    let path = place.data().join("a.png");
    let file = fs::File::options().write(true).open(path).unwrap();
    let past = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(7);
    file.set_modified(past).unwrap();
    assert_eq!(place.open_counting(8).1, 2);
    assert_eq!(place.open_counting(8).1, 0);
}

/// Three decoded pictures, the file that holds them, and its bytes.
fn three() -> (Place, PathBuf, Vec<u8>) {
    let place = Place::new();
    for i in 0..3 {
        place.put(&format!("{i}.png"), &grey(i));
    }
    place.open(8).unwrap();
    let file = place.cache_file("pictures");
    let good = fs::read(&file).unwrap();
    (place, file, good)
}

#[test]
fn a_damaged_or_foreign_cache_is_made_anew() {
    let (place, file, good) = three();
    let mut spoilt: Vec<Vec<u8>> = vec![vec![], vec![0; 5], b"foreign".repeat(99)];
    for cut in [1, 8, 17, good.len() - 1] {
        spoilt.push(good[..good.len() - cut].to_vec());
        spoilt.push(good[cut..].to_vec());
    }
    // All that comes after the pixels.
    let (pixels, end) = (3 * 192, good.len() - 20);
    for at in pixels..good.len() {
        spoilt.push(good.clone());
        spoilt.last_mut().unwrap()[at] ^= 1;
    }
    // Another key, side, count and version in facts that are otherwise in order.
    let text = String::from_utf8_lossy(&good[pixels + 12..end]).into_owned();
    for field in ["\"key\":", "\"side\":", "\"count\":", "\"version\":"] {
        let digit = pixels + 12 + text.find(field).unwrap() + field.len();
        let mut other = good.clone();
        other[digit] = if other[digit] == b'1' { b'2' } else { b'1' };
        let sum = crc32fast::hash(&other[pixels..end]).to_le_bytes();
        other[end + 8..end + 12].copy_from_slice(&sum);
        spoilt.push(other);
    }
    for bytes in spoilt {
        fs::write(&file, &bytes).unwrap();
        let (opened, decoded) = place.open_counting(8);
        assert_eq!(levels(&opened.unwrap().pictures), [0, 1, 2]);
        assert_eq!(decoded, 3, "{} bytes were trusted", bytes.len());
        assert_eq!(fs::read(&file).unwrap(), good);
    }
}

#[test]
fn pixels_that_have_changed_on_the_disk_are_never_handed_out() {
    let (place, file, good) = three();
    for (picture, at) in [(0, 0), (1, 192), (1, 383), (2, 575)] {
        let mut bytes = good.clone();
        bytes[at] ^= 4;
        // Another file of the name: the first may still be mapped.
        fs::remove_file(&file).unwrap();
        fs::write(&file, &bytes).unwrap();
        let (opened, decoded) = place.open_counting(8);
        assert_eq!(decoded, 0, "no start reads all pixels");
        let pictures = Arc::new(opened.unwrap().pictures);
        for i in 0..3 {
            assert_eq!(pictures.bytes(i).is_ok(), i != picture);
            assert_eq!(pictures.write(i, &mut [0.0; 192]).is_ok(), i != picture);
        }
        let error = pictures.bytes(picture).unwrap_err().to_string();
        let want = format!(
            "picture {picture} of the decoded ones in {} is not what was written there, as when a disk fails; \
             that file has been deleted, so the next start decodes the pictures again",
            file.display()
        );
        assert_eq!(error, want);
        // The loader says the same.
        let mut loader = Loader::new(pictures, 1, 3, 0);
        for _ in 0..2 {
            let error = loader.fill(&mut [0.0; 3 * 192]).unwrap_err().to_string();
            let is_said = error == want || error.contains("it ended early");
            assert!(is_said, "{error}");
        }
        let (opened, decoded) = place.open_counting(8);
        assert_eq!(levels(&opened.unwrap().pictures), [0, 1, 2]);
        assert_eq!((decoded, fs::read(&file).unwrap()), (3, good.clone()));
    }
}

#[test]
fn a_waiting_person_hears_of_large_pictures_long_before_a_batch_is_done() {
    let place = Place::new();
    for i in 0..100 {
        place.put(&format!("{i:02}.png"), &grey(i));
    }
    let mut heard = vec![];
    let cache = place.cache();
    let options = Options {
        side: 8,
        crop: Crop::Center,
        cache: Some(&cache),
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1);
    let opened = pool.build().unwrap().install(|| {
        open(&place.data(), &options, &mut |done, total| {
            heard.push(done);
            assert_eq!(total, 100);
        })
    });
    assert_eq!(opened.unwrap().pictures.len(), 100);
    assert_eq!(heard, [0, 16, 32, 48, 64, 80, 96, 100]);
}

#[test]
fn a_cache_that_cannot_be_written_points_to_the_flag() {
    let place = Place::new();
    place.put("a.png", &grey(1));
    fs::write(place.cache(), b"a file where the folder should be").unwrap();
    let error = place.error().to_string();
    assert!(error.contains("--cache DIR"), "{error}");
}

fn set_modified(path: &Path, time: SystemTime) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(time).unwrap();
}

/// Some time in the past, always the same.
fn then() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
}

/// Pixels as they are, so that equal sizes are certain.
fn bitmap(level: u8) -> Vec<u8> {
    [&b"P5 8 8 255\n"[..], &[level; 64]].concat()
}

#[test]
fn folders_with_equal_names_sizes_and_times_are_told_apart() {
    let place = Place::new();
    for (folder, level) in [("a", 1), ("b", 2)] {
        for i in 0..3 {
            set_modified(
                &place.put(&format!("{folder}/{i}.pgm"), &bitmap(level)),
                then(),
            );
        }
    }
    assert_eq!(levels(&place.open_in("a").unwrap().pictures), [1; 3]);
    assert_eq!(levels(&place.open_in("b").unwrap().pictures), [2; 3]);
    // The same place, but another folder there.
    fs::rename(place.data().join("a"), place.data().join("c")).unwrap();
    fs::rename(place.data().join("b"), place.data().join("a")).unwrap();
    assert_eq!(levels(&place.open_in("a").unwrap().pictures), [2; 3]);
}

#[test]
fn contents_that_are_replaced_in_place_are_noticed() {
    let place = Place::new();
    let paths: Vec<PathBuf> = (0..100)
        .map(|i| place.put(&format!("{i:03}.pgm"), &bitmap(7)))
        .collect();
    paths.iter().for_each(|path| set_modified(path, then()));
    assert_eq!(levels(&place.open(8).unwrap().pictures), [7; 100]);
    // Not one of those that are looked into; the time of its change tells, where there is one.
    let which = if cfg!(unix) { 2 } else { 0 };
    fs::write(&paths[which], bitmap(8)).unwrap();
    set_modified(&paths[which], then());
    assert_eq!(levels(&place.open(8).unwrap().pictures)[which], 8);
}

#[test]
fn the_content_is_that_of_all_pictures_whatever_the_threads() {
    let place = Place::new();
    for i in 0..100u8 {
        place.put(&format!("{i:03}.pgm"), &bitmap(i));
    }
    let content = place.open(8).unwrap().content;
    assert_eq!(place.open(8).unwrap().content, content, "from the cache");
    for threads in [1, 3] {
        fs::remove_file(place.cache_file("pictures")).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let opened = pool.build().unwrap().install(|| place.open(8)).unwrap();
        assert_eq!(opened.content, content, "{threads} threads");
    }
    let mut seen = vec![content];
    for i in [0, 37, 99u8] {
        let mut other = bitmap(i);
        *other.last_mut().unwrap() ^= 1;
        let path = place.put(&format!("{i:03}.pgm"), &other);
        seen.push(place.open(8).unwrap().content);
        fs::write(path, bitmap(i)).unwrap();
    }
    let last = place.open(8).unwrap().content;
    assert_eq!(last, content);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 4);
}

#[test]
fn caches_that_nobody_has_used_for_long_are_deleted_and_nothing_else() {
    let place = Place::new();
    place.put("a.png", &grey(1));
    let opened = place.open(8).unwrap();
    let used = place.cache_file("pictures");
    let bytes = words::bytes(fs::metadata(&used).unwrap().len());
    let size = format!("(decoded into {}, {bytes})", used.display());
    assert!(opened.from.ends_with(&size), "{}", opened.from);
    let day = Duration::from_secs(24 * 60 * 60);
    let put = |name: &str, days: u32| {
        let path = place.cache().join(name);
        fs::write(&path, vec![0; 1_500_000]).unwrap();
        set_modified(&path, SystemTime::now() - days * day);
        path
    };
    let old = [
        put("0123456789abcdef.pictures", 61),
        put("fedcba9876543210.pictures", 999),
    ];
    let kept = [
        put("0000000000000000.pictures", 59),
        put("0123456789abcde.pictures", 99),
        put("0123456789abcdef0.pictures", 99),
        put("0123456789ABCDEF.pictures", 99),
        put("0123456789abcdeg.pictures", 99),
        put("0123456789abcdef.pictures.bak", 99),
        put("holiday.pictures", 99),
        put("thesis.doc", 99),
    ];
    // What was skipped there goes with it.
    let list = put("0123456789abcdef.skipped.txt", 61);
    let folder = place.cache().join("aaaaaaaaaaaaaaaa.pictures");
    fs::create_dir(&folder).unwrap();
    // The one that is used has become old too.
    set_modified(&used, SystemTime::now() - 99 * day);
    let (opened, decoded) = place.open_counting(8);
    assert_eq!(decoded, 0);
    let [note] = &opened.unwrap().notes[..] else {
        panic!("one note");
    };
    assert!(
        note.starts_with("deleted 2 files") && note.ends_with(": 3.0 MB"),
        "{note}"
    );
    assert!(old.iter().chain([&list]).all(|path| !path.exists()));
    assert!(
        kept.iter()
            .chain([&used, &folder])
            .all(|path| path.exists())
    );
    let age = fs::metadata(&used)
        .unwrap()
        .modified()
        .unwrap()
        .elapsed()
        .unwrap();
    assert!(age < day, "use has been noted");
    assert_eq!(place.open(8).unwrap().notes, [""; 0]);
}
