#!/bin/sh
# Cargo's RUSTC_WRAPPER: instruments for libFuzzer what is fuzzed, and leaves the other crates as they are. All of these
# flags are stable's.
rustc=$1
shift
# Build scripts and proc macros are built without --target, and their dependencies once more: those must link alone.
case " $* " in
*" --target "*) ;;
*) exec "$rustc" "$@" ;;
esac
case " $* " in
*" --crate-name hookgate "* | *" --crate-name common "* | *" --crate-name provider_toml "* | \
    *" --crate-name signature_headers "* | *" --crate-name verify_parse "* | *" --crate-name serde_json "* | \
    *" --crate-name toml "* | *" --crate-name toml_parser "* | *" --crate-name toml_datetime "* | \
    *" --crate-name winnow "* | *" --crate-name form_urlencoded "* | *" --crate-name percent_encoding "* | \
    *" --crate-name hex "* | *" --crate-name base64 "*)
    exec "$rustc" "$@" -Cpasses=sancov-module \
        -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
        -Cllvm-args=-sanitizer-coverage-pc-table \
        -Cllvm-args=-sanitizer-coverage-trace-compares \
        -Cllvm-args=-simplifycfg-branch-fold-threshold=0 \
        -Cdebug-assertions=yes -Coverflow-checks=yes -Ccodegen-units=1
    ;;
*) exec "$rustc" "$@" ;;
esac
