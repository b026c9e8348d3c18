//! Which files are taken for plugins.

use hookgate_tests::{Gateway, Guest, Home, Process, eventually};
use minisign::{KeyPair, SecretKey};
use sha2::Digest;

fn digest(wasm: &[u8]) -> String {
    hex::encode(sha2::Sha256::digest(wasm))
}

fn plugin(version: &str) -> Vec<u8> {
    Guest::wanting(&["push"]).version(version).component()
}

#[test]
fn only_pinned_files_are_taken_and_a_pin_that_goes_takes_its_plugin() {
    let home = Home::with("server.trust = \"pinned\"");
    let (first, second) = (plugin("1"), plugin("2"));
    home.install("pinned", &first);
    let gateway = Process::start(&home);
    assert_eq!(gateway.slot("pinned"), "broken");
    let paste = format!("[plugins.pinned]\nsha256 = \"{}\"", digest(&first));
    assert!(gateway.why("pinned").contains(&paste), "{}", gateway.why("pinned"));

    home.configure(&format!("server.trust = \"pinned\"\n{paste}"));
    eventually("it runs", || gateway.slot("pinned") == "live");
    // Another file is not what was pinned: what was goes on.
    home.install("pinned", &second);
    eventually("it is stale", || gateway.slot("pinned") == "stale");
    assert_eq!(gateway.plugin("pinned")["version"], "1");
    let both = format!("[plugins.pinned]\nsha256 = [\"{}\", \"{}\"]", digest(&first), digest(&second));
    home.configure(&format!("server.trust = \"pinned\"\n{both}"));
    eventually("the second runs", || gateway.plugin("pinned")["version"] == "2");
    home.configure("server.trust = \"pinned\"");
    eventually("it is not run any more", || gateway.slot("pinned") == "broken");
    // Nothing that was refused runs by the change of another.
    home.configure("server.trust = \"any\"");
    eventually("whatever is there runs", || gateway.slot("pinned") == "live");
}

fn sign(key: &SecretKey, wasm: &[u8]) -> String {
    minisign::sign(None, key, wasm, None, None).unwrap().to_string()
}

#[test]
fn only_signed_files_are_taken_whichever_came_first() {
    let KeyPair { pk, sk } = KeyPair::generate_unencrypted_keypair().unwrap();
    let strange = KeyPair::generate_unencrypted_keypair().unwrap();
    let home = Home::with(&format!("server.trust = \"signed\"\nserver.trusted_keys = [\"{}\"]", pk.to_base64()));
    let wasm = plugin("1");
    home.install("signed", &wasm);
    let gateway = Gateway::start(&home);
    assert_eq!(gateway.slot("signed"), "broken");
    assert!(gateway.why("signed").contains("minisign -Sm signed.wasm"), "{}", gateway.why("signed"));
    for (signature, expected) in [
        (sign(&strange.sk, &wasm), "not a signature of this file by a trusted key"),
        (sign(&sk, b"another file"), "not a signature of this file by a trusted key"),
        ("nonsense".to_owned(), "is no signature of minisign's"),
    ] {
        home.write("plugins/signed.wasm.minisig", &signature);
        eventually(expected, || gateway.why("signed").contains(expected));
        assert_eq!(gateway.slot("signed"), "broken");
    }
    home.write("plugins/signed.wasm.minisig", &sign(&sk, &wasm));
    eventually("it runs", || gateway.slot("signed") == "live");
    // A new file with the old signature does not.
    home.install("signed", plugin("2"));
    eventually("it is stale", || gateway.slot("signed") == "stale");
    home.write("plugins/signed.wasm.minisig", &sign(&sk, &plugin("2")));
    eventually("the second runs", || gateway.plugin("signed")["version"] == "2");
    // Another key that signed it takes the place of the first, while it runs.
    home.write("plugins/signed.wasm.minisig", &sign(&strange.sk, &plugin("2")));
    home.configure(&format!("server.trust = \"signed\"\nserver.trusted_keys = [\"{}\"]", strange.pk.to_base64()));
    eventually("the other key counts", || gateway.slot("signed") == "live" && gateway.why("signed").is_empty());
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert_eq!((gateway.slot("signed"), &gateway.plugin("signed")["version"]), ("live".into(), &"2".into()));
    // A key that is not trusted any more.
    home.configure(&format!("server.trust = \"signed\"\nserver.trusted_keys = [\"{}\"]", pk.to_base64()));
    eventually("it is not run any more", || gateway.slot("signed") == "broken");
}

#[test]
fn a_config_that_trusts_nobody_or_means_nothing_is_refused() {
    for (config, expected) in [
        ("server.trust = \"signed\"", "server.trusted_keys: is missing"),
        ("server.trust = \"signed\"\nserver.trusted_keys = [\"nonsense\"]", "is no key"),
        ("server.trust = \"some\"", "server.trust: must be"),
        ("[plugins.a]\nsha256 = \"12\"", "is no SHA-256"),
    ] {
        let told = Gateway::try_start(&Home::with(config)).err().unwrap().to_string();
        assert!(told.contains(expected), "{told} has no {expected}");
    }
}
