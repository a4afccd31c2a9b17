//! Wiring between constructs that must not compile, with what the compiler says about it. `TRYBUILD=overwrite cargo test
//! -p stack --test compile_fail` writes the messages again after a change of wording.

#[test]
fn wrong_wiring_of_constructs_does_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/compile_fail/*.rs");
}
