//! Signals that come before a training has begun: nothing is left behind, and the exit code is the one that is promised.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use image::{GrayImage, Luma};

use crate::endings::polite;
use crate::process::{newest_step, run, send, text, wait_until};

/// Flags of a tiny run on pictures.
const TINY: &str = "--preset images --side 16 --width 16 --batch-size 2 --steps 1 --threads 1";

/// A folder of `count` large pictures, all of them one file.
fn pictures(folder: &Path, side: u32, count: usize) -> PathBuf {
    fs::create_dir_all(folder).unwrap();
    let first = folder.join("0.png");
    let pixel = |x, y| Luma([(x * 7 + y * 3) as u8]);
    GrayImage::from_fn(side, side, pixel).save(&first).unwrap();
    for i in 1..count {
        fs::hard_link(&first, folder.join(format!("{i}.png"))).unwrap();
    }
    folder.to_owned()
}

/// `train` in a shell that first does `before`.
fn train(before: &str, args: &str) -> Command {
    let mut shell = Command::new("sh");
    let script = format!("{before}exec {} {args}", env!("CARGO_BIN_EXE_train"));
    shell.args(["-c", &script]).env("NODEVICE_SELECT", "1");
    shell.stdout(Stdio::piped()).stderr(Stdio::piped());
    shell
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.collect()
}

/// Waits until pictures are decoded into `cache`.
fn wait_for_decoding(cache: &Path) {
    wait_until("nothing is decoded", || !names(cache).is_empty());
}

#[test]
fn a_signal_while_pictures_are_decoded_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (out, cache) = (folder.path().join("run"), folder.path().join("cache"));
    // Half a minute of decoding, all of it in one batch.
    let data = pictures(&folder.path().join("data"), 6000, 300);
    let small = pictures(&folder.path().join("small"), 20, 3);
    let place = |data: &Path| format!("--data {} --cache {}", text(data), text(&cache));
    let stops = |args: &str, signal: &str, code: i32| {
        let mut child = train("", args).spawn().unwrap();
        wait_for_decoding(&cache);
        sleep(Duration::from_millis(200));
        let asked = Instant::now();
        send(&child, signal);
        let ended = child.wait().unwrap().code();
        let took = asked.elapsed();
        let stderr = child.wait_with_output().unwrap().stderr;
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        assert_eq!(ended, Some(code), "{signal}: {stderr}");
        assert!(took < Duration::from_secs(5), "{signal} took {took:?}");
        let last = stderr.lines().last().unwrap();
        let start = "stopped before the training had begun (";
        assert!(last.starts_with(start), "{stderr}");
        let middle = "); nothing is lost, and the same command begins again: ";
        let (_, command) = last.split_once(middle).expect(last);
        assert!(command.ends_with(args), "{command}");
        assert_eq!(names(&cache), Vec::<String>::new(), "{signal}");
        fs::remove_dir(&cache).unwrap();
    };
    for (signal, code) in polite() {
        let args = format!("{TINY} {} --out {}", place(&data), text(&out));
        stops(&args, signal, code);
        assert!(!out.exists(), "{signal}");
    }
    // A run that goes on stays as it was, and is free for the next one.
    let args = format!("{TINY} {} --quiet --out {}", place(&small), text(&out));
    let first = train("", &args).output().unwrap();
    let stderr = String::from_utf8_lossy(&first.stderr);
    assert!(first.status.success(), "{stderr}");
    fs::remove_dir_all(&cache).unwrap();
    let config = fs::read(out.join("config.toml")).unwrap();
    let args = format!("--resume {} {} --new-data", text(&out), place(&data));
    stops(&args, "-USR1", 85);
    assert_eq!(fs::read(out.join("config.toml")).unwrap(), config);
    let args = ["--resume", text(&out), "--steps", "2", "--quiet"];
    assert!(run("train", &args).status.success());
    assert_eq!(newest_step(&out), Some(2));
}

#[test]
fn what_is_ignored_is_ignored_while_pictures_are_decoded_too() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let data = pictures(&folder.path().join("data"), 6000, 300);
    let out = folder.path().join("run");
    let args = [text(&data), text(&cache), text(&out)];
    let [data, place, out] = args;
    let args = format!("{TINY} --data {data} --cache {place} --out {out}");
    let mut child = train("trap '' HUP INT; ", &args).spawn().unwrap();
    wait_for_decoding(&cache);
    send(&child, "-HUP");
    send(&child, "-INT");
    sleep(Duration::from_millis(500));
    assert!(child.try_wait().unwrap().is_none(), "it ended");
    send(&child, "-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn the_same_data_are_no_other_data() {
    let folder = tempfile::tempdir().unwrap();
    let (out, cache) = (folder.path().join("run"), folder.path().join("cache"));
    let data = pictures(&folder.path().join("data"), 20, 3);
    let other = pictures(&folder.path().join("other"), 24, 3);
    let place = |data: &Path| format!("--data {} --cache {}", text(data), text(&cache));
    let args = format!("{TINY} {} --quiet --out {}", place(&data), text(&out));
    assert!(train("", &args).output().unwrap().status.success());
    for (data, is_other) in [(&data, false), (&other, true), (&other, false)] {
        let args = format!("--resume {} {} --new-data", text(&out), place(data));
        let output = train("", &args).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        let says = stderr.contains("goes on with other data");
        assert_eq!(says, is_other, "{stderr}");
    }
}
