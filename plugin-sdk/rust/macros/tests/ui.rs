//! What the compiler says to an author. `TRYBUILD=overwrite cargo test -p hookgate-plugin-macros --test ui` writes it anew.

#[test]
fn mistakes_are_told_plainly() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
