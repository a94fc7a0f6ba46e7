//! Any text as a run's configuration.
#![no_main]

use coulomb_gan::train::Config;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(config) = Config::parse(text) {
        let again = config.to_toml().and_then(|text| Config::parse(&text));
        assert_eq!(
            again.expect("what was read can be written and read"),
            config
        );
    }
});
