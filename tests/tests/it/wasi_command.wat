;; A program over WASI preview 1. Memory: 0 a buffer's address and length, 8 how much was moved, 16 and on what it is asked,
;; 1024 its manifest, 4096 what it complains of, 65536 and on what it reads.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 4)
  (data (i32.const 1024) "MANIFEST")
  (data (i32.const 4096) "ERRORS")

  (func $write (param $to i32) (param $at i32) (param $len i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $len))
    (drop (call $fd_write (local.get $to) (i32.const 0) (i32.const 1) (i32.const 8))))

  ;; Reads standard input to its end and gives how long it is.
  (func $read (result i32)
    (local $len i32)
    (block $end
      (loop $more
        (i32.store (i32.const 0) (i32.add (i32.const 65536) (local.get $len)))
        (i32.store (i32.const 4) (i32.const 4096))
        (br_if $end (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (br_if $end (i32.eqz (i32.load (i32.const 8))))
        (local.set $len (i32.add (local.get $len) (i32.load (i32.const 8))))
        (br $more)))
    (local.get $len))

  (func (export "_start")
    (drop (call $args_sizes_get (i32.const 0) (i32.const 4)))
    ;; Its own name, and one word.
    (if (i32.ne (i32.load (i32.const 0)) (i32.const 2)) (then unreachable))
    (drop (call $args_get (i32.const 16) (i32.const 64)))
    (if (i32.eq (i32.load8_u (i32.load (i32.const 20))) (i32.const 100 (; d ;)))
      (then
        (call $write (i32.const 1) (i32.const 1024) (i32.const MANIFEST_LEN))
        (return)))
    (call $write (i32.const 1) (i32.const 65536) (call $read))
    (call $write (i32.const 2) (i32.const 4096) (i32.const ERRORS_LEN))
    (if (i32.const CODE) (then (call $proc_exit (i32.const CODE))))))
