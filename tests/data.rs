//! Picture sets from disk: what is read, what is skipped and why, what the cache trusts, and in which order
//! pictures are handed out.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coulomb_gan::data::decode::picture;
use coulomb_gan::data::{Crop, Loader, Opened, Options, Pictures, loader, open};
use coulomb_gan::numbers::{Error, Result};
use image::{DynamicImage, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage};
use tempfile::TempDir;

/// A data folder and a cache folder that vanish with the test.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("data")).unwrap();
        Self { dir }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.data().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn open(&self, side: usize) -> Result<Opened> {
        self.open_counting(side).0
    }

    /// Opens the set; the second value is what was decoded for it.
    fn open_counting(&self, side: usize) -> (Result<Opened>, usize) {
        let cache = self.cache();
        let options = Options {
            side,
            crop: Crop::Center,
            cache: Some(&cache),
        };
        let mut decoded = 0;
        let opened = open(&self.data(), &options, &mut |done, total| {
            assert!(done <= total);
            decoded = done;
        });
        (opened, decoded)
    }

    fn error(&self) -> Error {
        self.open(8).unwrap_err()
    }

    /// The only file in the cache.
    fn cache_file(&self) -> PathBuf {
        let mut files = fs::read_dir(self.cache()).unwrap();
        let file = files.next().unwrap().unwrap().path();
        assert!(files.next().is_none());
        file
    }
}

fn encode(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(vec![]);
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn plain(width: u32, height: u32, colour: [u8; 3]) -> DynamicImage {
    RgbImage::from_pixel(width, height, Rgb(colour)).into()
}

/// A PNG of one grey level, by which it can be told from others.
fn grey(level: u8) -> Vec<u8> {
    encode(&plain(8, 8, [level; 3]), ImageFormat::Png)
}

fn decoded(image: &DynamicImage, side: usize) -> Vec<u8> {
    picture(&encode(image, ImageFormat::Png), side, Crop::Center).unwrap()
}

fn levels(pictures: &Pictures) -> Vec<u8> {
    (0..pictures.len()).map(|i| pictures.bytes(i)[0]).collect()
}

#[test]
fn a_picture_of_the_right_size_is_taken_as_it_is_in_planes() {
    let image = RgbImage::from_fn(3, 3, |x, y| {
        let i = (3 * y + x) as u8;
        Rgb([i, 100 + i, 200 + i])
    });
    let bytes = decoded(&image.into(), 3);
    let planes: Vec<u8> = (0..9).chain(100..109).chain(200..209).collect();
    assert_eq!(bytes, planes);
}

#[test]
fn the_four_formats_and_their_colours_are_read() {
    let image = plain(20, 10, [200, 100, 50]);
    for format in [
        ImageFormat::Png,
        ImageFormat::Jpeg,
        ImageFormat::WebP,
        ImageFormat::Gif,
    ] {
        let bytes = picture(&encode(&image, format), 5, Crop::Center).unwrap();
        for (plane, want) in bytes.chunks(25).zip([200u8, 100, 50]) {
            assert!(plane.iter().all(|x| x.abs_diff(want) <= 3), "{format:?}");
        }
    }
    let grey: image::GrayImage = image::ImageBuffer::from_pixel(4, 4, Luma([77u8]));
    assert_eq!(decoded(&grey.into(), 4), [77; 48]);
    let deep = image::ImageBuffer::from_pixel(4, 4, Rgb([0x1234u16, 0xffff, 0]));
    let deep = decoded(&DynamicImage::ImageRgb16(deep), 4);
    assert_eq!((deep[0], deep[16], deep[32]), (0x12, 255, 0));
}

#[test]
fn transparent_parts_lie_on_white() {
    let image = RgbaImage::from_fn(2, 1, |x, _| Rgba([0, 255, 0, [0, 128][x as usize]]));
    let image = DynamicImage::from(image).resize_exact(2, 2, image::imageops::Nearest);
    let bytes = decoded(&image, 2);
    assert_eq!(bytes[..4], [255, 127, 255, 127]);
    assert_eq!(bytes[4..8], [255; 4]);
    let grey = image::ImageBuffer::from_pixel(2, 2, LumaA([9u8, 0]));
    assert_eq!(decoded(&DynamicImage::ImageLumaA8(grey), 2), [255; 12]);
}

#[test]
fn the_centre_is_cropped_and_shrinking_does_not_alias() {
    // Red to the left and right of a square of one-pixel stripes: the red goes, the stripes become grey.
    let image = RgbImage::from_fn(96, 64, |x, _| match x {
        16..80 => Rgb([(x % 2) as u8 * 255; 3]),
        _ => Rgb([255, 0, 0]),
    });
    let bytes = decoded(&image.into(), 8);
    assert!(bytes.iter().all(|x| x.abs_diff(127) <= 8), "{bytes:?}");
}

#[test]
fn the_celeba_crop_is_the_middle_108_pixels_and_nothing_else() {
    let inside = |v: u32, from: u32| (from..from + 108).contains(&v);
    let image = RgbImage::from_fn(178, 218, |x, y| {
        Rgb([(inside(x, 35) && inside(y, 55)) as u8 * 255; 3])
    });
    let bytes = encode(&image.into(), ImageFormat::Png);
    let whole = picture(&bytes, 64, Crop::CelebA).unwrap();
    assert!(whole.iter().all(|&x| x == 255));
    let centre = picture(&bytes, 64, Crop::Center).unwrap();
    assert!(centre.contains(&0));
    let other = encode(&plain(218, 178, [0; 3]), ImageFormat::Png);
    let why = picture(&other, 64, Crop::CelebA).unwrap_err();
    assert!(why.contains("218 x 178"), "{why}");
    let ready = encode(&plain(64, 64, [5; 3]), ImageFormat::Png);
    assert_eq!(picture(&ready, 64, Crop::CelebA).unwrap(), [5; 3 * 64 * 64]);
}

#[test]
fn a_cameras_orientation_is_undone() {
    // A dark left half; EXIF orientation 6 asks to turn it clockwise, so the dark half comes on top.
    let image = RgbImage::from_fn(16, 16, |x, _| Rgb([if x < 8 { 0 } else { 255 }; 3]));
    let jpeg = encode(&image.into(), ImageFormat::Jpeg);
    let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let segment = [b"\xff\xe1\0", &[exif.len() as u8 + 2][..], exif].concat();
    let turned = [&jpeg[..2], &segment, &jpeg[2..]].concat();
    let bytes = picture(&turned, 16, Crop::Center).unwrap();
    assert!(bytes[..5 * 16].iter().all(|&x| x < 40), "{bytes:?}");
    assert!(bytes[11 * 16..256].iter().all(|&x| x > 215), "{bytes:?}");
}

#[test]
fn truncated_pictures_of_every_format_are_refused() {
    let image = RgbImage::from_fn(40, 40, |x, y| Rgb([(x * y) as u8, x as u8, y as u8 * 3]));
    let image = DynamicImage::from(image);
    for format in [
        ImageFormat::Png,
        ImageFormat::Jpeg,
        ImageFormat::WebP,
        ImageFormat::Gif,
    ] {
        let bytes = encode(&image, format);
        for cut in (0..bytes.len() * 9 / 10).step_by(7) {
            let result = picture(&bytes[..cut], 8, Crop::Center);
            assert!(result.is_err(), "{format:?} cut at {cut}");
        }
    }
}

#[test]
fn absurd_sizes_are_refused_before_memory_is_set_aside() {
    // The header of a PNG with 60 000 x 60 000 pixels and no data.
    let mut png = grey(0);
    for at in [16, 20] {
        png[at..at + 4].copy_from_slice(&60_000u32.to_be_bytes());
    }
    let crc = png[12..29].iter().fold(!0u32, |mut crc, &byte| {
        crc ^= u32::from(byte);
        (0..8).for_each(|_| crc = (crc >> 1) ^ ((crc & 1) * 0xedb8_8320));
        crc
    });
    png[29..33].copy_from_slice(&(!crc).to_be_bytes());
    let why = picture(&png, 8, Crop::Center).unwrap_err();
    assert!(why.contains("60000 x 60000 pixels; 64 million"), "{why}");
}

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
        fs::remove_file(place.cache_file()).ok();
    }
}

#[test]
fn damaged_files_are_skipped_and_named_again_from_the_cache() {
    let place = Place::new();
    place.put("a.png", &grey(1));
    place.put("b.png", &grey(2)[..50]);
    place.put("c.jpg", b"\n <!DOCTYPE html><p>404");
    place.put("d.gif", b"");
    place.put("e.webp", b"MM\0*tiff-like");
    place.put("f.png", &grey(6));
    let (first, decoded) = place.open_counting(8);
    let (first, again) = (first.unwrap(), place.open_counting(8));
    assert_eq!((decoded, again.1), (6, 0));
    assert_eq!(levels(&first.pictures), [1, 6]);
    let again = again.0.unwrap();
    assert_eq!(again.skipped, first.skipped);
    assert_eq!(levels(&again.pictures), [1, 6]);
    let whys = ["damaged", "web page", "empty", "Tiff inside"];
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
    place.put("b/c.tar", b"");
    let error = place.error().to_string();
    assert!(
        error.contains("no PNG, JPEG, WebP or GIF among 2 files in "),
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
    fs::write(dir.path().join("x.zip"), b"PK").unwrap();
    let error = attempt("x.zip", &options).to_string();
    assert!(
        error.contains("x.zip is a file; give the folder"),
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
    fs::create_dir(dir.path().join("python")).unwrap();
    fs::write(dir.path().join("python/data_batch_1"), b"").unwrap();
    let error = attempt("python", &options).to_string();
    assert!(error.contains("binary version"), "{error}");
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
    assert_eq!(place.open(16).unwrap().pictures.bytes(2), [3; 768]);

    place.put("cifar-10-batches-bin/data_batch_2.bin", &batch(&[3])[1..]);
    let error = place.open(32).unwrap_err().to_string();
    assert!(
        error.contains("data_batch_2.bin: its 3072 bytes"),
        "{error}"
    );
}

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

#[test]
fn a_damaged_or_foreign_cache_is_made_anew() {
    let place = Place::new();
    for i in 0..3 {
        place.put(&format!("{i}.png"), &grey(i));
    }
    place.open(8).unwrap();
    let file = place.cache_file();
    let good = fs::read(&file).unwrap();
    let mut spoilt: Vec<Vec<u8>> = vec![vec![], vec![0; 5], b"foreign".repeat(99)];
    for cut in [1, 8, 17, good.len() - 1] {
        spoilt.push(good[..good.len() - cut].to_vec());
        spoilt.push(good[cut..].to_vec());
    }
    for at in good.len() - 16..good.len() {
        spoilt.push(good.clone());
        spoilt.last_mut().unwrap()[at] ^= 0xff;
    }
    // Another key, side, count and version in facts that are otherwise in order.
    let text = String::from_utf8_lossy(&good[3 * 192..good.len() - 16]).into_owned();
    for field in ["\"key\":", "\"side\":", "\"count\":", "\"version\":"] {
        let digit = 576 + text.find(field).unwrap() + field.len();
        spoilt.push(good.clone());
        let byte = &mut spoilt.last_mut().unwrap()[digit];
        *byte = if *byte == b'1' { b'2' } else { b'1' };
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
fn a_cache_that_cannot_be_written_points_to_the_flag() {
    let place = Place::new();
    place.put("a.png", &grey(1));
    fs::write(place.cache(), b"a file where the folder should be").unwrap();
    let error = place.error().to_string();
    assert!(error.contains("--cache DIR"), "{error}");
}

/// Pictures of 1 x 1 pixel whose red is their number.
fn numbered(count: u8) -> Pictures {
    let bytes = (0..count).flat_map(|i| [i, 0, 0]).collect();
    Pictures::new(1, bytes).unwrap()
}

/// The numbers of the pictures in a batch.
fn numbers(batch: &[f32]) -> Vec<u8> {
    let red = batch.iter().step_by(3);
    red.map(|&x| ((x + 1.0) * 127.5).round() as u8).collect()
}

#[test]
fn every_epoch_has_every_picture_once_in_an_order_of_its_own() {
    let pictures = Arc::new(numbered(50));
    for size in [1, 7, 50, 64, 120] {
        let mut loader = Loader::new(pictures.clone(), 3, size, 0);
        let mut y = vec![0.0; 3 * size];
        let mut seen = vec![];
        while seen.len() < 200 {
            loader.fill(&mut y).unwrap();
            seen.extend(numbers(&y));
        }
        let epochs: Vec<&[u8]> = seen.chunks_exact(50).collect();
        for pair in epochs.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
        for epoch in epochs {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert!(sorted.iter().copied().eq(0..50), "{epoch:?}");
        }
    }
}

#[test]
fn the_loader_hands_out_the_batches_of_the_definition_from_any_step() {
    let pictures = Arc::new(numbered(23));
    let (mut want, mut got) = ([0.0; 15], [0.0; 15]);
    for first in [0, 4, 1_000_003] {
        let mut loader = Loader::new(pictures.clone(), 9, 5, first);
        for step in first..first + 12 {
            loader::batch(&pictures, 9, 5, step, &mut want);
            loader.fill(&mut got).unwrap();
            assert_eq!(got, want, "step {step}");
        }
    }
    loader::batch(&pictures, 10, 5, 0, &mut want);
    loader::batch(&pictures, 9, 5, 0, &mut got);
    assert_ne!(got, want, "the seed must matter");
}

#[test]
fn dropping_a_loader_ends_its_thread() {
    let pictures = Arc::new(numbered(5));
    for fills in 0..7 {
        let mut loader = Loader::new(pictures.clone(), 0, 2, 0);
        for _ in 0..fills {
            loader.fill(&mut [0.0; 6]).unwrap();
        }
        drop(loader);
        assert_eq!(Arc::strong_count(&pictures), 1, "the thread holds on");
    }
}

/// Only for the eye: how long a real set takes. `COULOMB_PICTURES=DIR cargo test --release --test data -- --ignored --nocapture`
#[test]
#[ignore = "needs a data set; says how long it takes"]
fn a_real_set() {
    let root = std::env::var("COULOMB_PICTURES").expect("COULOMB_PICTURES names a data set");
    let cache = tempfile::tempdir().unwrap();
    let options = Options {
        side: 32,
        crop: Crop::Center,
        cache: Some(cache.path()),
    };
    for start in ["first", "second"] {
        let clock = std::time::Instant::now();
        let opened = open(Path::new(&root), &options, &mut |_, _| {}).unwrap();
        println!("{start} start: {:?}, {}", clock.elapsed(), opened.from);
        let mut loader = Loader::new(Arc::new(opened.pictures), 1, 128, 0);
        let mut y = vec![0.0; 128 * 3 * 32 * 32];
        let clock = std::time::Instant::now();
        for _ in 0..200 {
            loader.fill(&mut y).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let (all, waited) = (clock.elapsed(), loader.waited());
        println!("200 batches with 10 ms of other work each: {all:?}, waited {waited:?}");
    }
}
