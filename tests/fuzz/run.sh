#!/usr/bin/env bash
# Fuzzes on the stable toolchain, without cargo-fuzz: run.sh [SECONDS [TARGET...]]. What is found is in artifacts/TARGET/.
# One input again: TARGET_DIR/TRIPLE/release/TARGET artifacts/TARGET/crash-...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

seconds=${1:-60}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(provider_toml signature_headers verify_parse)

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
triple=$(rustc -vV | sed -n 's/^host: //p')
RUSTC_WRAPPER=$PWD/rustc-sancov.sh nice -n 15 cargo build --release --bins --target "$triple"
built=$CARGO_TARGET_DIR/$triple/release

SEEDS=seeds "$built/seeds" -runs=0 2>/dev/null
failed=0
for target in "${targets[@]}"; do
    mkdir -p "corpus/$target" "artifacts/$target"
    dict=json.dict
    [ "$target" = provider_toml ] && dict=toml.dict
    echo "==> $target for $seconds s" >&2
    # The outer limit is for a target that hangs in what libFuzzer cannot interrupt.
    nice -n 15 timeout -k 10 $((seconds + 60)) "$built/$target" \
        -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -max_len=8192 -len_control=20 \
        -dict="$dict" -artifact_prefix="artifacts/$target/" -print_final_stats=1 \
        "corpus/$target" "seeds/$target" >"artifacts/$target.log" 2>&1 || { failed=1; echo "==> $target failed" >&2; }
    grep -E 'panicked|SUMMARY|BINGO|Test unit written|number_of_executed|average_exec|new_units|peak_rss|slowest|DONE' \
        "artifacts/$target.log" || true
done
exit $failed
