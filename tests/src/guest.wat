;; The module around a guest's instructions. Memory: 0 results, 1024 words, then what is told, then what the host puts in.
(module
  ;;IMPORTS
  (memory (export "memory") PAGES)
  (data (i32.const 1024) "WORDS")
  (global $told i32 (i32.const FREE))
  (global $told_len (mut i32) (i32.const 0))
  ;; 8 KiB for what is told.
  (global $free (mut i32) (i32.add (i32.const FREE) (i32.const 8192)))
  ;;FIELDS

  ;; Gives fresh memory, growing it where it must.
  (func (export "cabi_realloc") (param $old i32) (param $old_len i32) (param $align i32) (param $len i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $free))
    (global.set $free (i32.and (i32.add (i32.add (local.get $at) (local.get $len)) (i32.const 7)) (i32.const -8)))
    (block $fits
      (br_if $fits (i32.le_u (global.get $free) (i32.mul (memory.size) (i32.const 65536))))
      (br_if $fits (i32.ne (i32.const -1) (memory.grow
        (i32.add (i32.const 1) (i32.div_u (i32.sub (global.get $free) (i32.mul (memory.size) (i32.const 65536))) (i32.const 65536))))))
      unreachable)
    (memory.copy (local.get $at) (local.get $old) (local.get $old_len))
    (local.get $at))

  ;; Adds to what is told.
  (func $tell (param $at i32) (param $len i32)
    (memory.copy (i32.add (global.get $told) (global.get $told_len)) (local.get $at) (local.get $len))
    (global.set $told_len (i32.add (global.get $told_len) (local.get $len))))
  (func $tell_byte (param $byte i32)
    (i32.store8 (i32.add (global.get $told) (global.get $told_len)) (local.get $byte))
    (global.set $told_len (i32.add (global.get $told_len) (i32.const 1))))
  ;; One part in brackets.
  (func $part (param $at i32) (param $len i32)
    (call $tell_byte (i32.const 0x5b))
    (call $tell (local.get $at) (local.get $len))
    (call $tell_byte (i32.const 0x5d)))
  ;; Pairs of texts as [name=value].
  (func $parts (param $at i32) (param $len i32)
    (block $end
      (loop $next
        (br_if $end (i32.eqz (local.get $len)))
        (call $tell_byte (i32.const 0x5b))
        (call $tell (i32.load (local.get $at)) (i32.load offset=4 (local.get $at)))
        (call $tell_byte (i32.const 0x3d))
        (call $tell (i32.load offset=8 (local.get $at)) (i32.load offset=12 (local.get $at)))
        (call $tell_byte (i32.const 0x5d))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (local.set $len (i32.sub (local.get $len) (i32.const 1)))
        (br $next))))

  ;; Computes for a while: some milliseconds for each million.
  (func $work (param $turns i32)
    (loop $on
      (local.set $turns (i32.sub (local.get $turns) (i32.const 1)))
      (br_if $on (local.get $turns))))

  ;; The failures of the contract.
  (func $reject (param $at i32) (param $len i32) (result i32)
    (i32.store8 (i32.const 0) (i32.const 1))
    (i32.store8 (i32.const 8) (i32.const 0))
    (i32.store (i32.const 16) (local.get $at))
    (i32.store (i32.const 20) (local.get $len))
    (i32.const 0))
  (func $reject_told (result i32)
    (call $reject (global.get $told) (global.get $told_len)))
  (func $retry (param $at i32) (param $len i32) (result i32)
    (drop (call $reject (local.get $at) (local.get $len)))
    (i32.store8 (i32.const 8) (i32.const 1))
    (i32.const 0))
  (func $retry_after (param $at i32) (param $len i32) (param $ms i64) (result i32)
    (drop (call $retry (local.get $at) (local.get $len)))
    (i32.store8 (i32.const 24) (i32.const 1))
    (i64.store (i32.const 32) (local.get $ms))
    (i32.const 0))

  (func (export "hookgate:plugin/handler@0.1.0#describe") (result i32)
    ;;DESCRIBE
    (i32.const MANIFEST))
  (func $handle (export "hookgate:plugin/handler@0.1.0#handle")
    (param $id i32) (param $id_len i32) (param $source i32) (param $source_len i32)
    (param $provider i32) (param $provider_len i32) (param $type i32) (param $type_len i32)
    (param $received i64) (param $attempt i32) (param $attributes i32) (param $attributes_len i32)
    (param $payload i32) (param $payload_len i32) (result i32)
    ;;HANDLE
    (i32.const 0)))
